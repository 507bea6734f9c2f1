# Dies as a crash does, and leaves no core.
# expect: signal 6
# files:
# timeout: 10
import os
import resource

try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
except ValueError:
    pass
os.abort()
