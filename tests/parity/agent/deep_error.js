function a(n) { if (n === 0) throw new RangeError('deep'); a(n - 1); }
a(12);
