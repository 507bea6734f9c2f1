import io, sys


class Loud(io.TextIOWrapper):
    def write(self, text):
        return super().write(text.upper())


sys.stdout = Loud(sys.stdout.buffer, "utf-8")
print("loud and buffered")
