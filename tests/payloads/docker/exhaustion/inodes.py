# Empty files take no room but memory, and then somebody has to look through all of them.
# expect: disk_limit | memory_limit | timeout
# timeout: 8
number = 0
while True:
    open(f"/workspace/{number}", "w").close()
    number += 1
