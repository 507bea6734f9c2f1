const { execFileSync, fork, spawnSync } = require('child_process');
if (process.send) {
  process.send({ argv: process.argv.slice(2), execArgv: process.execArgv });
  process.disconnect();
} else {
  console.log(execFileSync('echo', ['from child']).toString().trim(), spawnSync('sh', ['-c', 'exit 3']).status);
  console.log(spawnSync(process.execPath, ['-p', '1+1']).stdout.toString().trim());
  fork(__filename, ['a']).on('message', (m) => console.log(m)).on('exit', (code) => console.log('ended', code));
}
