# expect: completed
import random
random.seed(0)
random.random = lambda: 4
random._inst.seed(1)
print("chosen by fair dice roll")
