# expect: timeout
import collections, itertools
collections.deque(itertools.count(), maxlen=0)
