# expect: completed
# shows: refused
import subprocess
try:
    subprocess.run(["/bin/sh", "-c", "id"])
    print("worked")
except (OSError, AttributeError, RuntimeError) as error:
    print("refused", type(error).__name__)
