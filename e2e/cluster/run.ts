/**
 * `npm run test:cluster [-- --keep] [--no-sinter] [--all] [FILE…]`: the scenarios of this folder on a real cluster.
 *
 * With KUBECONFIG set to another cluster than the testbed: on that one, with the images that the values of
 * SINTER_VALUES (a file) name. Else on the testbed, which is brought up where it is not.
 *
 * Owns: providing the cluster, the images and Sinter, and taking away what it provided, however it ends. What was there
 * before stays. `--all` runs the long ones too; `--keep` leaves everything; `--no-sinter` installs nothing.
 * Exit codes: those of `node --test`; 1 where something could not be provided, 130 interrupted.
 */
import { spawn } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { assertNotInterrupted, goOn, interrupt, run } from '../testbed/command.ts';
import { down } from '../testbed/down.ts';
import { withLock } from '../testbed/parts/lock.ts';
import { say, step } from '../testbed/progress.ts';
import { status } from '../testbed/status.ts';
import { loadSinter, up } from '../testbed/up.ts';
import { RELEASE, SINTER_NAMESPACE, targetOf } from './target.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VALUES = fileURLToPath(new URL('../testbed/values.yaml', import.meta.url));
const INSTALL_LIMIT = '5m';
const INSTALL_LIMIT_MS = 330_000;
/** Of one test, on a busy machine with an emulated one in it. */
const TEST_LIMIT_MS = 600_000;
const INTERRUPTED = 130;
/** How node:test begins the lines of its summary, and of diagnostics. */
const SUMMARY = 'ℹ ';
/** Work in namespaces of their own and look at nothing else. */
const QUIET = ['chart', 'cli', 'crds', 'foreign', 'journey', 'kube', 'pods', 'secretGuard', 'tenant'];
const isQuiet = (file: string): boolean => QUIET.some((name) => file.endsWith(`/${name}.test.ts`));
/** So many of those at a time. */
const BESIDE = 2;
/** Minutes each, and for what changes seldom: run by `--all`, or by name. */
const LONG = ['credentials', 'faultPoints', 'lostKeys', 'optimiseFaults', 'release', 'scale', 'testbed'];
const isLong = (file: string): boolean => LONG.some((name) => file.endsWith(`/${name}.test.ts`));

const words = process.argv.slice(2);
const keep = words.includes('--keep');
const withSinter = !words.includes('--no-sinter');
const named = words.filter((word) => !word.startsWith('--'));
const target = targetOf(process.env);

/** What was provided, to be taken away in the opposite order. */
const undo: { readonly what: string; readonly how: () => Promise<void> }[] = [];
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (!interrupted) interrupt(); // once: taking away what there is by then goes on
    interrupted = true;
  });

process.exitCode = await main();

async function main(): Promise<number> {
  let code = 1;
  try {
    await provide();
    assertNotInterrupted();
    code = await runTests();
  } catch (cause) {
    if (!interrupted) say(`error: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  goOn();
  if (!keep) await takeAway();
  return interrupted ? INTERRUPTED : code;
}

async function provide(): Promise<void> {
  if (target.kind === 'Testbed') await withLock(provideTestbed);
  if (withSinter) await provideSinter();
}

async function provideTestbed(): Promise<void> {
  if ((await status()).state === 'Down') undo.push({ what: 'the testbed', how: () => withLock(down) });
  await up();
  await step('bundles', () => run([process.execPath, 'scripts/build.ts', '--quiet'], { cwd: ROOT }));
  await loadSinter();
}

function helm(...args: readonly string[]): Promise<string> {
  const command = [
    target.helm,
    `--kubeconfig=${target.kubeconfig}`,
    ...args,
    '--namespace',
    SINTER_NAMESPACE,
  ];
  return run(command, { cwd: ROOT, limitMs: INSTALL_LIMIT_MS });
}

function kubectl(...args: readonly string[]): Promise<string> {
  const command = [target.kubectl, `--kubeconfig=${target.kubeconfig}`, ...args];
  return run(command, { limitMs: INSTALL_LIMIT_MS });
}

async function provideSinter(): Promise<void> {
  const { SINTER_VALUES = '' } = process.env;
  if (target.kind === 'Other' && SINTER_VALUES === '')
    throw new Error(
      'set SINTER_VALUES to a file of values for helm/sinter that names images which this cluster can pull, ' +
        'or say --no-sinter to test what is installed',
    );
  const wasThere = await helm('status', RELEASE).then(
    () => true,
    () => false,
  );
  assertNotInterrupted();
  if (!wasThere) undo.push({ what: 'Sinter', how: uninstall });
  const values = SINTER_VALUES === '' ? VALUES : SINTER_VALUES;
  await step(`installing helm/sinter into ${SINTER_NAMESPACE}`, async () => {
    const wait = ['--create-namespace', '--wait', '--timeout', INSTALL_LIMIT];
    await helm('upgrade', '--install', RELEASE, 'helm/sinter', '--values', values, ...wait).catch(explain);
    if (wasThere && target.kind === 'Testbed') await restart();
  });
}

/** The image has the same name as before: only a new pod runs what is in it now. */
async function restart(): Promise<void> {
  const all = ['deployments', '--selector', `app.kubernetes.io/instance=${RELEASE}`];
  await kubectl('rollout', 'restart', ...all, '--namespace', SINTER_NAMESPACE);
  const wait = [`--timeout=${INSTALL_LIMIT}`, '--namespace', SINTER_NAMESPACE];
  await kubectl('rollout', 'status', ...all, ...wait).catch(explain);
}

/** What one would look at first. */
async function explain(cause: unknown): Promise<never> {
  const look = ['--namespace', SINTER_NAMESPACE];
  const pods = await kubectl('get', 'pods', '--output', 'wide', ...look).catch(String);
  const events = await kubectl('get', 'events', '--sort-by=.lastTimestamp', ...look).catch(String);
  const which = ['--selector', `app.kubernetes.io/instance=${RELEASE}`, '--prefix', '--tail=15'];
  const logs = await kubectl('logs', ...which, '--all-containers', ...look).catch(String);
  say([pods, events.split('\n').slice(-25).join('\n'), logs].join('\n'));
  throw cause;
}

/** In the order that the guide gives: workflows first, while their finalizers are still served. */
async function uninstall(): Promise<void> {
  const limit = ['--all', '--all-namespaces', '--ignore-not-found', '--timeout=120s'];
  await kubectl('delete', 'workflows.sinter.dev', ...limit).catch(() => undefined); // there may be no such kind yet
  await helm('uninstall', RELEASE, '--wait', '--timeout', INSTALL_LIMIT);
  await kubectl('delete', 'namespace', SINTER_NAMESPACE, '--ignore-not-found');
}

/**
 * Beside each other what minds its own namespace, then one after the other what disturbs the cluster. A file that fails is run
 * once more, alone, and that is said: machines where this runs share their cores with others, and a moment without any is no
 * defect. Twice in a row is one.
 */
async function runTests(): Promise<number> {
  const files = named.length > 0 ? named : await allTests();
  const waiting = files.filter(isQuiet);
  const again: string[] = [];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await first(file, again);
  };
  await Promise.all(Array.from({ length: BESIDE }, worker));
  for (const file of files.filter((f) => !isQuiet(f))) await first(file, again);
  const failed: string[] = [];
  for (const file of again) {
    assertNotInterrupted();
    say(`${file} failed, and is run once more`);
    if ((await runFile(file, 'second')) !== 0) failed.push(file);
  }
  if (again.length > 0) say(`needed a second try: ${again.join(', ')}`);
  if (failed.length > 0) say(`failed twice: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

async function first(file: string, again: string[]): Promise<void> {
  assertNotInterrupted();
  if ((await runFile(file, 'first')) !== 0) again.push(file);
}

/** The summary of a first try that failed is marked as such: whoever adds summaries up counts each test once. */
async function runFile(file: string, attempt: 'first' | 'second'): Promise<number> {
  say(`${file} …`);
  const options = ['--test', `--test-timeout=${String(TEST_LIMIT_MS)}`, '--test-reporter=spec'];
  const child = spawn(process.execPath, [...options, file], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, KUBECONFIG: target.kubeconfig },
  });
  const told: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => told.push(line));
  const startedAt = performance.now();
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (ended) => {
      resolve(ended ?? 1);
    });
  });
  const mark = (line: string): string =>
    code !== 0 && attempt === 'first' && line.startsWith(SUMMARY) ? `first try: ${line}\n` : `${line}\n`;
  say(`${file}, ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  process.stdout.write(told.map(mark).join('')); // at its end: files run beside each other
  return code;
}

async function allTests(): Promise<readonly string[]> {
  const files: string[] = [];
  for await (const file of glob('e2e/cluster/**/*.test.ts', { cwd: ROOT })) files.push(file);
  return files.filter((file) => words.includes('--all') || !isLong(file)).sort();
}

/** Each, whatever becomes of the others. */
async function takeAway(): Promise<void> {
  const taken = target.kind === 'Testbed' ? undo.slice(0, 1) : undo;
  for (const { what, how } of taken.reverse())
    await step(`taking ${what} away`, how).catch((cause: unknown) => {
      say(`${what} is still there: ${cause instanceof Error ? cause.message : String(cause)}`);
      process.exitCode = 1;
    });
}
