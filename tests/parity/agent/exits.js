process.on('exit', () => { console.log('last'); process.exitCode = 17; });
console.log('main');
