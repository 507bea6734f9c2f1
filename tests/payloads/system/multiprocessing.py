# expect: completed
# shows: refused
try:
    import multiprocessing
    multiprocessing.Process(target=print).start()
    print("worked")
except (ImportError, OSError, AttributeError, RuntimeError) as error:
    print("refused", type(error).__name__)
