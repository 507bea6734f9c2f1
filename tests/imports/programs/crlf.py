import a
from b import c
try:
    import d
except ImportError:
    pass
