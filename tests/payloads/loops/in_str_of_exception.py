# expect: timeout
# Formatting an uncaught error runs the program's own code.
class Endless(Exception):
    def __str__(self):
        while True:
            pass
raise Endless
