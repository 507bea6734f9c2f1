# expect: memory_limit
# timeout: 20
import io
s = io.StringIO()
while True:
    s.write("é" * 100_000)
