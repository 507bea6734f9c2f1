# expect: timeout
import math
math.factorial(10**7)
