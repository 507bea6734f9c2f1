# expect: memory_limit
# timeout: 10
text = "hot"
while True:
    text += text
