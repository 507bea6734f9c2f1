async function f() { await 1; throw new Error('rejected'); }
f();
