const lines = require('readline').createInterface({ input: process.stdin });
(async () => { for await (const line of lines) console.log('>', line); console.log('end'); })();
