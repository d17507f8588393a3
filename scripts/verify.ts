/**
 * `npm run verify`: format, lint, types, generated files, import arrows. Runs all, says which failed, leaves no difference.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** What to do when it fails. */
  readonly mend: string;
}

const CHECKS: readonly Check[] = [
  { name: 'format', command: ['prettier', '--check', '--log-level', 'warn', '.'], mend: 'npm run format' },
  { name: 'lint', command: ['eslint', '.', '--max-warnings', '0'], mend: 'mend what is listed' },
  { name: 'types', command: ['tsc', '--noEmit', '-p', '.'], mend: 'mend what is listed' },
  { name: 'generated files', command: ['node', 'crds/src/generate.ts', '--check'], mend: 'npm run generate' },
  { name: 'chart', command: ['node', 'scripts/chart.ts', '--check'], mend: 'npm run generate' },
  {
    name: 'import arrows',
    command: ['node', '--test', 'test/arrows.test.ts'],
    mend: 'see docs/ARCHITECTURE.md',
  },
];

interface Outcome {
  readonly check: Check;
  readonly ok: boolean;
  readonly output: string;
  readonly ms: number;
}

async function run(check: Check): Promise<Outcome> {
  const startedAt = performance.now();
  const [command = '', ...args] = check.command;
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number>((resolve) => {
    child.once('error', (cause) => {
      output += cause.message;
      resolve(127);
    });
    child.once('close', (status) => {
      resolve(status ?? 1);
    });
  });
  return { check, ok: code === 0, output, ms: performance.now() - startedAt };
}

const waiting = [...CHECKS];
const outcomes: Outcome[] = [];

async function work(): Promise<void> {
  for (let check = waiting.shift(); check; check = waiting.shift()) {
    const outcome = await run(check);
    outcomes.push(outcome);
    const seconds = (outcome.ms / 1000).toFixed(1);
    process.stdout.write(`${outcome.ok ? 'ok    ' : 'FAILED'} ${check.name} (${seconds} s)\n`);
    if (!outcome.ok) process.stdout.write(`${outcome.output}\n→ ${check.mend}\n`);
  }
}

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
process.exitCode = outcomes.every((o) => o.ok) ? 0 : 1;
