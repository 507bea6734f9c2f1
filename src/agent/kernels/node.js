// A Node that waits for its program. The agent starts `node --eval` with this file; it loads what programs usually
// need, and waits in a blocking read. When the program comes, it puts arguments, environment and directory in place,
// removes what --eval adds to a program's world, and runs the main module as Node itself does. The difference that is
// left: where an error is thrown less than ten calls deep, the last line of its stack names Node's task queue instead of
// run_main_module.
//
// Descriptor 3 is the agent: it sends messages of u32 length and strings that each end in a NUL.
'use strict';
{
  const fs = require('fs');
  const Module = require('module');
  const AGENT = 3;
  const USUAL = ['assert', 'async_hooks', 'buffer', 'child_process', 'events', 'fs', 'fs/promises', 'http',
    'net', 'os', 'path', 'perf_hooks', 'process', 'querystring', 'readline', 'stream', 'stream/promises',
    'string_decoder', 'timers', 'timers/promises', 'tty', 'url', 'util', 'vm', 'worker_threads', 'zlib'];

  const readExactly = (size) => {
    const data = Buffer.alloc(size);
    for (let at = 0; at < size;) {
      const more = fs.readSync(AGENT, data, at, size - at);
      if (more === 0) process.reallyExit(0);  // the agent has no use for us
      at += more;
    }
    return data;
  };
  const receive = () => readExactly(readExactly(4).readUInt32LE()).toString().split('\0').slice(0, -1);

  const loadAll = (names) => {
    for (const name of names) try { require(name); } catch { /* the program will get to know, if it wants it */ }
  };

  // What the first console.log() of a program would have to load and compile.
  const warmUp = () => {
    const { Console } = require('console');
    const { Writable } = require('stream');
    process.stdout;
    process.stderr;
    const nowhere = new Console(new Writable({ write(chunk, encoding, done) { done(); } }));
    nowhere.log(4, 'x', { a: [1, 'x'], f() {} }, new Map([[1, 2]]), new Error('x'), null, undefined);
    nowhere.log('%s %d', 'x', 1);
    Module._extensions['.js'](new Module('/dev/null'), '/dev/null');  // the way of every main module; an empty one
  };

  // --eval defines every library module as a global (by a getter), and the five names that a module has.
  const forgetEval = () => {
    for (const name of Module.builtinModules) {
      const getter = Object.getOwnPropertyDescriptor(globalThis, name)?.get?.name;
      if (getter === 'get' && name !== 'process' && name !== 'console') delete globalThis[name];
    }
    for (const name of ['module', 'exports', 'require', '__dirname', '__filename']) delete globalThis[name];
    process.execArgv = [];
    delete process._eval;
  };

  const takeEnvironment = (entries) => {
    const wanted = new Map(entries.map((entry) => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), entry.slice(at + 1)];
    }));
    for (const name of Object.keys(process.env)) if (!wanted.has(name)) delete process.env[name];
    const oldPath = process.env.NODE_PATH;
    for (const [name, value] of wanted) if (process.env[name] !== value) process.env[name] = value;
    if (process.env.NODE_PATH !== oldPath) Module._initPaths();
  };

  // A module by its syntax, where this Node would not see it for itself: the same file under the name that says so.
  const asModule = (program) => {
    const [major, minor] = process.versions.node.split('.').map(Number);
    if (major > 22 || (major === 22 && minor >= 7) || (major === 20 && minor >= 19)) return program;
    if (!program.endsWith('.js')) return program;
    const code = fs.readFileSync(program, 'utf8');
    if (!/\b(import|export|await)\b/.test(code)) return program;
    try {
      new (require('vm').Script)(Module.wrap(code.replace(/^#!.*/, '')));
      return program;
    } catch (error) {
      if (!/import statement outside|Unexpected token 'export'|import\.meta|await is only valid/.test(error.message))
        return program;
      const renamed = program.slice(0, -3) + '.mjs';
      fs.renameSync(program, renamed);
      return renamed;
    }
  };

  const tellOfExceptions = (program) => {
    const cap = 256 << 10;
    const text = (value) => String(value).replaceAll('\0', '\\0');
    process.on('uncaughtExceptionMonitor', (error) => {
      try {
        const isError = error instanceof Error;
        const stack = isError ? text(error.stack) : '';
        const escaped = program.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
        const line = stack.match(new RegExp(`(?:^|\\(|at |file://)${escaped}:(\\d+)`, 'm'))?.[1] ?? 0;
        const name = isError ? text(error.name) : typeof error;
        const message = isError ? text(error.message) : text(error);
        const number = isError && Number.isInteger(error.errno) ? Math.abs(error.errno) : 0;
        const fields = [name, message, stack, line, number].map((field) => Buffer.from(String(field)));
        const cut = fields.some((field) => field.length > cap);
        const parts = fields.flatMap((field) => [field.subarray(0, cap), Buffer.from('\0')]);
        const data = Buffer.concat([...parts, Buffer.from(cut ? '1\0' : '0\0')]);
        const head = Buffer.from('e\0\0\0\0');
        head.writeUInt32LE(data.length, 1);
        const all = Buffer.concat([head, data]);
        for (let at = 0; at < all.length;) at += fs.writeSync(AGENT, all, at);
      } catch { /* the agent can do without */ }
    });
  };

  // The end of a program that has nothing more to do, as process.exit() makes it: Node's own way takes the whole
  // interpreter apart first. Only where nobody would see a difference: after the last listener of the program's. The
  // agent is told, and does not wait until the kernel has taken everything back.
  const endQuickly = () => {
    const { writeSync } = fs;  // whatever the program makes of it
    const farewell = Buffer.from('x\0');
    const end = (code) => {
      if (process.rawListeners('exit').at(-1) !== end || !process.mainModule) return;
      const status = process.exitCode ?? code;
      farewell[1] = status & 255;
      try { writeSync(AGENT, farewell); } catch { /* it will see */ }
      process.reallyExit(status);
    };
    process.on('beforeExit', () => {
      process.off('exit', end);
      process.on('exit', end);
    });
  };

  const [usual, ...names] = receive();
  if (usual === '1') {
    loadAll(USUAL);
    warmUp();
  }
  loadAll(names);
  fs.writeSync(AGENT, `w${process.versions.node}\0`);

  const [main, cwd, count, ...rest] = receive();
  process.chdir(cwd);
  takeEnvironment(rest.slice(Number(count)));
  const program = asModule(main);
  process.argv = [process.execPath, program, ...rest.slice(0, Number(count))];
  tellOfExceptions(program);
  endQuickly();
  process.nextTick(forgetEval);  // --eval itself tidies up when this script has ended
  process.nextTick(Module.runMain, program);
}
