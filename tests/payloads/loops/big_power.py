# expect: timeout
x = 7**60000000
