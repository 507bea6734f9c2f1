// Output without end, each piece after the one before was taken.
// expect: timeout
// truncated: stdout
// timeout: 3
const piece = "x".repeat(100000);
const more = () => process.stdout.write(piece, more);
more();
