const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
  const worker = new Worker(__filename, { workerData: [1, 2, 3], argv: ['x'] });
  worker.on('message', (m) => console.log('from worker', m)).on('exit', (code) => console.log('ended', code));
} else {
  parentPort.postMessage([workerData, process.argv.slice(2), require.main === module, typeof fs]);
}
