# Replaces itself by itself, so that it never is the program that was looked at.
# expect: timeout
# timeout: 3
import os

os.execv("/usr/bin/python3", ["python3", "-c", "import os, sys; os.execv('/usr/bin/python3', sys.orig_argv)"])
