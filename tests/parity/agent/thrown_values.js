process.on('uncaughtException', (value, origin) => console.log('caught', value, origin));
setTimeout(() => { throw 5; });
setTimeout(() => { throw null; }, 5);
setTimeout(() => { throw Object.assign(new Error('with'), { code: 'E' }); }, 10);
