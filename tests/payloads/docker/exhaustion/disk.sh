# The same by dd, which says so and fails.
# expect: disk_limit
# shows_error: No space left on device
# timeout: 15
dd if=/dev/zero of=/workspace/fill bs=1M
