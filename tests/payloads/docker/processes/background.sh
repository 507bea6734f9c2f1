# expect: exit 5
# within: 6
# timeout: 30
# hides: too late
nohup setsid sh -c 'sleep 100; echo too late' &
(sleep 100; echo too late) &
disown -a
exit 5
