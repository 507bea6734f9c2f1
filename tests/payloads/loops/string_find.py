# expect: timeout
text = "ab" * 5_000_000
for _ in range(10**9):
    text.count("ba" * 50 + "c")
