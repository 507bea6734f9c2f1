# Not the main module's own frame, and nothing of __main__ left.
def leave():
    import sys
    globals().clear()
    sys.exit(4)


leave()
