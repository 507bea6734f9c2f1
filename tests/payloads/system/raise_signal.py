# expect: signal 15
import signal
signal.raise_signal(signal.SIGTERM)
