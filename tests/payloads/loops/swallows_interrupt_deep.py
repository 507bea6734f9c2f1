# expect: timeout
def again():
    try:
        while True:
            pass
    except KeyboardInterrupt:
        again()
    finally:
        again()
again()
