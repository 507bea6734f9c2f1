# expect: result_limit
E = type("E" * 1_000_000, (Exception,), {})
raise E("x")
