# expect: timeout
while True:
    compile("x = [" + "1," * 5000 + "]", "<made>", "exec")
