# What is left behind goes on exchanging a file for a link and back.
# expect: completed
# within: 8
# timeout: 20
# hides_in_files: root:
import os

open("it", "w").write("mine")
os.symlink("/etc/passwd", "link")
if os.fork() == 0:
    os.setsid()
    while True:
        os.rename("it", "other")
        os.rename("link", "it")
        os.rename("it", "link")
        os.rename("other", "it")
