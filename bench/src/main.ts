/**
 * `npm run bench -- NAME [--rounds N] [--seconds N]`: composition root of the benchmarks. `fusion` has options of its own, which
 * `fusion/options.ts` tells.
 */
import { parseArgs } from 'node:util';
import { builds } from './builds.ts';
import { cluster } from './cluster.ts';
import { fusionBench } from './fusion/main.ts';
import { laptop } from './laptop.ts';
import { playLoad } from './playLoad.ts';
import { rollout } from './rollout.ts';
import { searches } from './searches.ts';

const [first, ...rest] = process.argv.slice(2);
const isFusion = first === 'fusion';
const { values, positionals } = parseArgs({
  args: isFusion ? [] : process.argv.slice(2),
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string' } },
});
const seconds = values.seconds === undefined ? undefined : Number(values.seconds);

const BENCHES: Readonly<Record<string, typeof laptop>> = { laptop, cluster, rollout, searches };
const [name = '', ...words] = positionals;
const bench = BENCHES[name];
if (isFusion) process.exitCode = await fusionBench(rest);
else if (bench) await bench({ rounds: Number(values.rounds), seconds: seconds ?? 4 });
else if (name === 'load') await load(words);
else if (name === 'builds') await compareBuilds(words);
else refuse(`'${name}' is none of ${[...Object.keys(BENCHES), 'fusion', 'load', 'builds'].join(', ')}`);

async function compareBuilds([other]: readonly string[]): Promise<void> {
  if (other === undefined)
    refuse('builds: give the folder of another build, with host/main.js and gateway/main.js');
  else await builds({ rounds: Number(values.rounds), seconds: seconds ?? 1, other });
}

async function load([folder, loadName, gateway]: readonly string[]): Promise<void> {
  if (folder === undefined || loadName === undefined || gateway === undefined) {
    refuse('load: give a folder, the name of a load in its load.yaml, and the address of a gateway');
    return;
  }
  try {
    await playLoad({ folder, load: loadName, gateway, ...(seconds !== undefined && { seconds }) });
  } catch (cause) {
    refuse(cause instanceof Error ? cause.message : String(cause));
  }
}

function refuse(why: string): void {
  process.stderr.write(`bench: ${why}\n`);
  process.exitCode = 2;
}
