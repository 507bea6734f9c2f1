# expect: timeout | exception
import select
select.select([], [], [], 10**6)
