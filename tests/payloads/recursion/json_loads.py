# expect: exception RecursionError
import json
json.loads("[" * 200_000)
