# What was a folder with a file in it becomes a link to another place that has one of that name.
# expect: completed
# files: kept.txt
# hides_in_files: root:
# timeout: 10
import os
import shutil

os.mkdir("data")
open("data/passwd", "w").write("mine")
shutil.rmtree("data")
os.symlink("/etc", "data")
open("kept.txt", "w").write("kept")
