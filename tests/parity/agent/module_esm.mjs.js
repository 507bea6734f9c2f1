import { readFileSync } from 'node:fs';
import path from 'path';
export const here = path.basename(import.meta.url);
console.log(here, typeof require, this, await Promise.resolve('awaited'), readFileSync(process.argv[1], 'utf8').length > 0);
