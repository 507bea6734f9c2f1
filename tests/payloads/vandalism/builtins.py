# expect: completed
import builtins
_print, _setattr = print, setattr
for name in list(vars(builtins)):
    if not name.startswith("_"):
        _setattr(builtins, name, None)
_print("builtins are gone")
