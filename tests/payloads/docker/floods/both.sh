# expect: timeout
# truncated: stdout stderr
# timeout: 3
yes out &
yes err >&2
