# expect: completed | exception
import sys
sys.modules.clear()
