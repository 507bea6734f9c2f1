// A detached child that outlives its parent and keeps its output.
// expect: completed
// within: 6
// timeout: 30
// shows: parent ends
const { spawn } = require("child_process");
spawn("sh", ["-c", "trap '' TERM; sleep 100; echo too late"], { detached: true, stdio: "inherit" }).unref();
console.log("parent ends");
