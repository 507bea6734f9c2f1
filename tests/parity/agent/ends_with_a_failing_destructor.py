class Late:
    def __del__(self):
        raise ValueError("too late")


late = Late()
print("the end")
