let all = '';
process.stdin.setEncoding('utf8').on('data', (more) => { all += more; }).on('end', () => console.log(all.length, all.trim().split('\n')));
