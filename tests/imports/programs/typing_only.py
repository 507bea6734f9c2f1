import typing
import typing as t
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import a1
    from a2 import B
else:
    import c1
if typing.TYPE_CHECKING:
    from . import a3
    if x:
        import a4
    try:
        import a5
    except ImportError:
        import a6
elif y:
    import c2
else:
    import c3
if t.TYPE_CHECKING: import a7
if not TYPE_CHECKING:
    import c4
else:
    import a8
if TYPE_CHECKING and x:
    import c5
if NOT_TYPE_CHECKING:
    import c6
if (TYPE_CHECKING):
    import a9
def f():
    if TYPE_CHECKING:
        import a10
        def g():
            import a11
    import c7
if x:
    import c8
elif TYPE_CHECKING:
    import a12
else:
    import c9
