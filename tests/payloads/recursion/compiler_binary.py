# expect: exception RecursionError | stack_limit
eval("+".join(["1"] * 200_000))
