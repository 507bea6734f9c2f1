# expect: exception SyntaxError
eval("(" * 100_000 + ")" * 100_000)
