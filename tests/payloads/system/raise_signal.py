# expect: signal 15 | signal 6
# The C library of WASI turns the default action of every signal into an abort.
import signal
signal.raise_signal(signal.SIGTERM)
