# expect: completed
# shows: refused
try:
    import _thread
    _thread.start_new_thread(print, ())
    print("started")
except (ImportError, RuntimeError) as error:
    print("refused", type(error).__name__)
