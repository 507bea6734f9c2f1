# expect: exception SyntaxError
raise SyntaxError("forged", ("/etc/passwd", 10**9, -5, None, -1, 2**40))
