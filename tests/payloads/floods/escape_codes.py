# expect: completed
# shows: after
print("\x1b[2J\x1b]0;title\x07\x1b[31m\x00\x9b\u202e", "after")
