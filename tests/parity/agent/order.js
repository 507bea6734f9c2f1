setTimeout(() => console.log('timeout'), 50);  // with 0 it would be anybody's guess which comes first
setImmediate(() => console.log('immediate'));
process.nextTick(() => console.log('tick'));
Promise.resolve().then(() => console.log('microtask'));
queueMicrotask(() => console.log('queued'));
console.log('main');
process.on('beforeExit', () => console.log('beforeExit'));
process.on('exit', (code) => console.log('exit', code, process.exitCode));
