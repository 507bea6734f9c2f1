# One megabyte of JSON, out and in.
import json

record = {'id': 12345, 'name': 'a name with "quotes" and ünïcödé', 'tags': ['red', 'green', 'blue'], 'ratio': 0.12345,
          'nested': {'ok': True, 'nothing': None, 'values': list(range(20))}}
data = [dict(record, id=i) for i in range(4700)]
checksum = 0
for _ in range(10):
    text = json.dumps(data)
    checksum += len(text) + json.loads(text)[-1]['id']
print(checksum)
