# expect: exception UnicodeEncodeError
print("\ud800\udfff")
