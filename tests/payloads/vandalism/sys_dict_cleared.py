# expect: completed | exception | exit 120
import sys
vars(sys).clear()
