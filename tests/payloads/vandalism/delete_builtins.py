# expect: completed | exception
import builtins
vars(builtins).clear()
