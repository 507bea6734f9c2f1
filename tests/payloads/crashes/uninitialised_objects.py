# expect: completed | exception | trap
import io, types
for kind in (io.TextIOWrapper, io.BufferedReader, io.StringIO, io.BytesIO, io.FileIO, types.ModuleType):
    try:
        repr(kind.__new__(kind)); kind.__new__(kind).read()
    except Exception as error:
        print(kind.__name__, type(error).__name__)
