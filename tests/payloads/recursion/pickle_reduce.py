# expect: exception RecursionError
import pickle
class A:
    def __reduce__(self): return (A, (A(),))
pickle.dumps(A())
