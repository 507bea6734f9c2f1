// The same in Node, outside of the heap that V8 limits by itself.
// expect: memory_limit
// timeout: 20
const kept = [];
for (;;) kept.push(Buffer.alloc(8 << 20, 1));
