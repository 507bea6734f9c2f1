# expect: exception
# timeout: 10
# shows_error: last
e = None
for i in range(50_000):
    n = ValueError("last" if i == 49_999 else i)
    n.__cause__ = e
    e = n
raise e
