// Node starts processes until it is refused.
// expect: process_limit
// timeout: 15
const { spawn } = require("child_process");
const more = () => {
  for (let i = 0; i < 50; i++) spawn("sleep", ["100"], { stdio: "ignore" });
  setImmediate(more);
};
more();
