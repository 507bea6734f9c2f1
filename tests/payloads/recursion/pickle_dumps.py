# expect: exception RecursionError
import pickle
x = []
for _ in range(100_000):
    x = [x]
pickle.dumps(x)
