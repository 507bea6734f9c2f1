# expect: exception IndentationError
exec("\n".join(" " * i + "if 1:" for i in range(200)))
