class Mine extends Error { constructor(m) { super(m); this.name = 'Mine'; this.extra = [1, 2]; } }
setTimeout(() => { throw new Mine('later', { cause: 1 }); }, 1);
