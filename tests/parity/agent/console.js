console.log('text', 1, -0, 1.5, 10n, true, null, undefined, Symbol('s'));
console.log({ a: 1, b: { c: [1, 2, { d: new Map([[1, { e: 2 }]]) }] } }, [undefined, , 3], new Set('abc'));
console.log('%s is %d and %i, %j %o %%', 'x', 1.5, 1.5, { a: 1 }, [1]);
console.error(new Date(0), /re/g, function named() {}, class A {}, new Error('shown').message);
console.table([{ a: 1, b: 2 }, { a: 3 }]);
console.group('group'); console.info('in'); console.groupEnd(); console.debug('out');
process.stdout.write('no line end');
