# expect: exception MemoryError | exception RecursionError | exception SyntaxError | stack_limit | memory_limit
eval("-" * 100_000 + "1")
