# expect: timeout
# timeout: 2
trap '' TERM INT HUP QUIT
setsid bash -c 'trap "" TERM INT HUP; while :; do sleep 1; done' &
while :; do sleep 1; done
