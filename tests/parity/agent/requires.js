const fs = require('fs'), path = require('path');
fs.writeFileSync('helper.js', 'exports.where = __filename; exports.parent = module.parent && module.parent.filename;');
fs.writeFileSync('data.json', '{"a": [1, 2]}');
fs.mkdirSync('node_modules/pkg', { recursive: true });
fs.writeFileSync('node_modules/pkg/index.js', 'module.exports = "pkg";');
console.log(require('./helper'), require('./data').a, require('pkg'), require.resolve('pkg'), path.join('a', '..', 'b'));
try { require('./nothing'); } catch (e) { console.log(e.code, e.message.split('\n')[0]); }
try { require('no-such-package'); } catch (e) { console.log(e.code); }
