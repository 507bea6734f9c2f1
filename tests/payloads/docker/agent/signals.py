# Every signal there is, to pid 1, in every way.
# expect: completed
# shows: held
# timeout: 10
import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
information = ctypes.create_string_buffer(128)
pidfd = os.pidfd_open(1)
for number in range(1, 65):
    for send in (
        lambda: os.kill(1, number),
        lambda: libc.syscall(200, 1, number),
        lambda: libc.syscall(234, 1, 1, number),
        lambda: libc.syscall(129, 1, number, information),
        lambda: signal.pidfd_send_signal(pidfd, number),
    ):
        try:
            send()
        except OSError:
            pass
print("held")
