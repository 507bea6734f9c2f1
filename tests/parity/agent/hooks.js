const { AsyncLocalStorage } = require('async_hooks');
const store = new AsyncLocalStorage();
store.run({ id: 1 }, () => setTimeout(() => console.log(store.getStore()), 1));
console.log(store.getStore());
process.emitWarning('careful', { type: 'Custom', code: 'C1' });
process.on('warning', (w) => console.log(w.name, w.message));
