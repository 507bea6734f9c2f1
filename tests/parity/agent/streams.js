const { pipeline, Readable, Transform } = require('stream');
const zlib = require('zlib');
pipeline(Readable.from(['a', 'b'.repeat(100000)]), zlib.createGzip(), zlib.createGunzip(),
  new Transform({ transform(c, e, done) { done(null, String(c.length)); } }), process.stdout, (e) => console.error('end', e));
console.log(require('crypto').createHash('sha256').update('x').digest('hex'), require('os').EOL === '\n');
