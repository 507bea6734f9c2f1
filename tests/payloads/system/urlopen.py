# expect: completed
# shows: refused
import urllib.request
try:
    urllib.request.urlopen("http://127.0.0.1/", timeout=1)
    print("worked")
except (OSError, AttributeError, ImportError) as error:
    print("refused", type(error).__name__)
