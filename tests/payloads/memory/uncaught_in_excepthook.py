# expect: memory_limit
# timeout: 10
import sys
hoard = []
def hook(*_):
    while True:
        hoard.append(bytearray(1_000_000))
sys.excepthook = hook
while True:
    hoard.append(bytearray(1_000_000))
