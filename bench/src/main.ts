/** `npm run bench -- NAME [--rounds N] [--seconds N]`: composition root of the benchmarks. */
import { parseArgs } from 'node:util';
import { cluster } from './cluster.ts';
import { laptop } from './laptop.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '4' } },
});

const BENCHES: Readonly<Record<string, typeof laptop>> = { laptop, cluster };
const name = positionals[0] ?? '';
const bench = BENCHES[name];
if (bench) await bench({ rounds: Number(values.rounds), seconds: Number(values.seconds) });
else {
  process.stderr.write(`bench: '${name}' is none of ${Object.keys(BENCHES).join(', ')}\n`);
  process.exitCode = 2;
}
