# expect: timeout | exception
import queue
queue.Queue().get()
