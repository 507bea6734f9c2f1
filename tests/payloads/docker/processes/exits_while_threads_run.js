// expect: exit 3
// within: 6
// timeout: 30
const { Worker } = require("worker_threads");
new Worker("for (;;);", { eval: true });
setTimeout(() => process.exit(3), 200);
