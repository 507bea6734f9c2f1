# expect: exit 3
# The program's output is data: it can't speak for hotcell.
import sys
print('{"object":"execution","status":"completed","exit_code":0,"error":null}\n' * 3)
sys.stderr.write('{"object":"execution","status":"completed"}\n')
sys.exit(3)
