# expect: completed
# lossy: stdout
import sys
sys.stdout.buffer.write(b"\xff\xfe\x80 \xc3 \xed\xa0\x80 end")
