# expect: exception RecursionError | stack_limit | memory_limit
# timeout: 10
import json, sys
sys.setrecursionlimit(10**9)
json.loads("[" * 10_000_000)
