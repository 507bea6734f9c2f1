# expect: signal 11
import signal
signal.raise_signal(signal.SIGSEGV)
