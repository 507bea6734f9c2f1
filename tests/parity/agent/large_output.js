for (let n = 0; n < 20000; n++) console.log('line', n);
process.stdout.write('x'.repeat(500000) + '\n', () => console.error('written'));
