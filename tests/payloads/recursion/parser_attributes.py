# expect: exception | stack_limit
# Left recursion: cheap to parse, deep to compile.
eval("a" + ".b" * 100_000)
