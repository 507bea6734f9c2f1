# expect: completed | exception
import __main__, sys
vars(__main__).clear()
