# expect: exception SyntaxError | exception UnicodeEncodeError
compile("x = '\udcff\x0c\u202e" + "é" * 100_000, "na\nme\u0000.py".replace("\0", ""), "exec")
