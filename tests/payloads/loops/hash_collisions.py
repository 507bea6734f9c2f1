# expect: timeout
class Same:
    def __hash__(self): return 1
table = {Same(): i for i in range(10**7)}
