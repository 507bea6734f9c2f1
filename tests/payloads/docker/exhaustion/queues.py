# Message queues and semaphores.
# expect: completed | memory_limit
# timeout: 15
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
for name, make in (
    ("POSIX queues", lambda n: libc.mq_open(f"/q{n}".encode(), 0o102, 0o600, None)),
    ("System V queues", lambda n: libc.msgget(0, 0o1600)),
    ("semaphores", lambda n: libc.semget(0, 1000, 0o1600)),
):
    number = 0
    while make(number) >= 0 and number < 100000:
        number += 1
    print(name, number, ctypes.get_errno())
