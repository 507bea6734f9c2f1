# Files and folders without any permission, the workspace among them.
# expect: completed
# shows: made
# timeout: 10
import os

os.mkdir("closed")
open("closed/a", "w").write("a")
open("b", "w").write("b")
os.chmod("closed/a", 0)
os.chmod("closed", 0)
os.chmod("b", 0)
os.chmod("/workspace", 0)
print("made")
