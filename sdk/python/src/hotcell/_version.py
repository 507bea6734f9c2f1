__version__ = "0.1.0"
USER_AGENT = "hotcell-python/" + __version__
