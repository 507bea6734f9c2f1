# Nothing but NULs.
# expect: completed
# truncated: stdout
# timeout: 15
head -c 200000000 /dev/zero
