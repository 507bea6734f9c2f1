// What Node programs do of all that a filter could break. Prints "ok NAME" for each that works.
const assert = require("assert");
const child_process = require("child_process");
const dns = require("dns").promises;
const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const zlib = require("zlib");
const { Worker } = require("worker_threads");
const { once } = require("events");

const checks = {
  async compiled_code() {
    const f = (n) => (n < 2 ? n : f(n - 1) + f(n - 2));
    assert.equal(f(25), 75025);
  },
  async webassembly() {
    const module = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0,
      10, 6, 1, 4, 0, 65, 42, 11]);
    assert.equal((await WebAssembly.instantiate(module)).instance.exports.f(), 42);
  },
  async worker_threads() {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker("const {workerData} = require('worker_threads'); Atomics.add(workerData, 0, 5)", { eval: true, workerData: shared });
    await once(worker, "exit");
    assert.equal(shared[0], 5);
  },
  async child_processes() {
    assert.equal(child_process.execSync("echo hi").toString(), "hi\n");
    fs.writeFileSync("/tmp/child.js", "process.on('message', (m) => { process.send(m * 2); process.disconnect(); })");
    const child = child_process.fork("/tmp/child.js");
    child.send(21);
    assert.equal((await once(child, "message"))[0], 42);
  },
  async http() {
    const server = http.createServer((request, response) => response.end("hello")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const text = await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text();
    server.close();
    server.closeAllConnections();
    assert.equal(text, "hello");
  },
  async unix_socket() {
    const server = http.createServer((request, response) => response.end("x")).listen("/tmp/node.sock");
    await once(server, "listening");
    const [response] = await once(http.get({ socketPath: "/tmp/node.sock" }), "response");
    response.resume();
    await once(response, "end");
    server.close();
    server.closeAllConnections();
  },
  async files() {
    const folder = fs.mkdtempSync("/tmp/node-");
    const watcher = fs.watch(folder);
    const changed = once(watcher, "change");
    fs.writeFileSync(path.join(folder, "a"), "hello");
    await changed;
    watcher.close();
    fs.copyFileSync(path.join(folder, "a"), path.join(folder, "b"), fs.constants.COPYFILE_FICLONE);
    await fs.promises.cp(folder, folder + "-copy", { recursive: true });
    assert.equal(await fs.promises.readFile(folder + "-copy/b", "utf8"), "hello");
  },
  async names_and_interfaces() {
    assert.ok((await dns.lookup("localhost")).address);
    assert.ok(os.networkInterfaces().lo);
    os.setPriority(1);
    assert.ok(os.cpus().length > 0 && os.totalmem() > 0);
  },
  async thread_pool() {
    const all = await Promise.all([...Array(16)].map(() => new Promise((done) => zlib.gzip("x".repeat(1e5), done))));
    assert.equal(all.length, 16);
  },
};

(async () => {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log("ok", name);
    } catch (error) {
      console.log("broken", name, String(error));
    }
  }
  console.log("end");
  process.exit();
})();
