# Links among the files to bring back: to files of the image, of the kernel, to themselves, out of the folder.
# expect: completed
# files: plain.txt
# hides_in_files: root:
# timeout: 10
import os

os.symlink("/etc/passwd", "passwd")
os.symlink("/proc/1/environ", "environ")
os.symlink("/proc/self/fd/0", "input")
os.symlink("/.hotcell/agent", "agent")
os.symlink("loop", "loop")
os.symlink("/", "root")
os.symlink("/etc", "folder")
os.symlink("..", "up")
os.symlink("plain.txt", "within")
open("plain.txt", "w").write("plain")
