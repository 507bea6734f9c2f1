# Regular expressions over a synthetic log.
import re

lines = [f'2024-{i % 12 + 1:02}-{i % 28 + 1:02}T{i % 24:02}:00:00Z host{i % 7} app[{i}]: user=user{i % 91}@example.com '
         f'status={200 + i % 5} took={i * 7 % 1000}ms path=/a/b{i % 13}/c?x={i}' for i in range(3000)]
text = '\n'.join(lines)
checksum = 0
for _ in range(14):
    checksum += len(re.findall(r'[\w.]+@[\w.]+\.com', text))
    checksum += sum(int(m[1]) for m in re.finditer(r'took=(\d+)ms', text))
    checksum += len(re.sub(r'(\d{4})-(\d\d)-(\d\d)', r'\3.\2.\1', text))
    pattern = re.compile(r'^(\S+) (\S+) (\w+)\[(\d+)\]: user=(\S+) status=(\d+)')
    checksum += sum(int(pattern.match(line)[6]) for line in lines)
print(checksum)
