# expect: result_limit
# timeout: 10
raise ValueError("v" * 3_000_000)
