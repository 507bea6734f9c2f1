# expect: completed
# shows: refused RuntimeError
import concurrent.futures
try:
    concurrent.futures.ThreadPoolExecutor().submit(print).result(1)
    print("started")
except RuntimeError as error:
    print("refused", type(error).__name__)
