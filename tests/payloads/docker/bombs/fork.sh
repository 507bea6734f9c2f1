# The fork bomb that everybody knows. Its first process spins, so that the others go on in the meantime.
# expect: timeout | process_limit | memory_limit
# timeout: 4
bomb() { bomb | bomb & }
bomb
while :; do :; done
