trap 'echo got term' TERM
kill -TERM $$
sleep 0 & wait
kill -KILL $$
