// Worker threads, each with a JavaScript engine of its own.
// expect: memory_limit | process_limit | signal 5 | signal 6 | exit 1
// timeout: 20
const { Worker } = require("worker_threads");
const more = () => {
  for (let i = 0; i < 10; i++) new Worker("setTimeout(() => {}, 1e6)", { eval: true });
  setImmediate(more);
};
more();
