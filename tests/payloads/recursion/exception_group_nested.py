# expect: exception
g = ValueError("core")
for _ in range(3000):
    g = ExceptionGroup("g", [g])
raise g
