console.log(Object.getOwnPropertyNames(globalThis).sort().join(' '));
console.log(Object.keys(globalThis).join(' '));
console.log(process.argv, process.execArgv, process.argv0, process.title, require.main === module);
console.log(__filename, __dirname, module.paths.slice(0, 2), module.id, module.children.length, Object.keys(require.cache));
console.log(typeof fs, typeof exports, this === module.exports, arguments.length, process.cwd());
console.log(process.listenerCount('uncaughtException'), process.exitCode, process._eval, process.execPath);
console.log(RegExp.$1 === '', Error.stackTraceLimit, typeof Error.prepareStackTrace);
console.log([process.stdin.isTTY, process.stdout.isTTY, process.stdout.writable, process.stderr.fd]);
