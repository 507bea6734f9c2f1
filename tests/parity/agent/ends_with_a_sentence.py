import sys
sys.exit("a sentence")
