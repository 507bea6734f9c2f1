// Node writes to a pipe only between turns: what a loop prints piles up inside.
// expect: memory_limit | timeout | signal 5 | signal 6
// timeout: 15
for (;;) console.log("x".repeat(10000));
