# expect: exception | trap | signal 11 | timeout | stack_limit | memory_limit | completed
# Garbage given to the eval loop: whatever happens, happens inside the cell.
def f(): pass
f.__code__ = f.__code__.replace(co_code=bytes(range(256)) * 4, co_stacksize=1, co_consts=())
f()
