# expect: exception | trap | signal 11 | timeout | stack_limit | memory_limit | completed
import marshal, random
random.seed(1)
good = marshal.dumps(compile("def f(x):\n    return [i for i in x]\nprint(f(range(3)))", "m", "exec"))
for _ in range(200):
    bad = bytearray(good)
    for _ in range(4):
        bad[random.randrange(len(bad))] = random.randrange(256)
    try:
        exec(marshal.loads(bytes(bad)))
    except Exception:
        pass
