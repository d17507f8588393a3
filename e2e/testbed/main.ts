/**
 * `npm run testbed -- up | down | status [--json] | image`: a Kubernetes cluster of three machines, two architectures and
 * two tiers on this one machine.
 *
 * Exit codes: 0 done (`status`: up), 1 it failed, 2 a wrong word, 3 `status`: not up, 130 interrupted.
 */
import { assertNotInterrupted, goOn, interrupt, run as runCommand } from './command.ts';
import { down, isThere } from './down.ts';
import { SINTER_IMAGE } from './images/catalogue.ts';
import { STATE_PLACES } from './places.ts';
import { say, step } from './progress.ts';
import { status, statusText } from './status.ts';
import { exists } from './supply/packages.ts';
import { loadAll, up } from './up.ts';
import { withLock } from './parts/lock.ts';

const USAGE = `usage: npm run testbed -- COMMAND
  up       builds what the cache lacks and brings the cluster up; goes on where an earlier one stopped
  down     takes everything away but the cache
  status   what is there; --json for programs
  image    builds the bundles and puts Sinter's image on every machine of the cluster`;

const EXIT = { done: 0, failed: 1, usage: 2, notUp: 3, interrupted: 130 } as const;

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (!interrupted) interrupt(); // once: taking away what there is by then goes on
    interrupted = true;
  });

process.exitCode = await main(process.argv.slice(2)).catch((cause: unknown) => {
  if (!interrupted) say(`error: ${cause instanceof Error ? cause.message : String(cause)}`);
  return interrupted ? EXIT.interrupted : EXIT.failed;
});

async function main([command, ...rest]: readonly string[]): Promise<number> {
  switch (command) {
    case 'up':
      return await withLock(bringUp);
    case 'down':
      return await withLock(takeDown);
    case 'image':
      return await withLock(image);
    case 'status':
      return await tell(rest.includes('--json'));
    default:
      say(USAGE);
      return EXIT.usage;
  }
}

/** Who interrupts it before it is up has nothing left of it; what was up before stays. */
async function bringUp(): Promise<number> {
  const wasUp = await exists(STATE_PLACES.ready);
  try {
    await up();
    assertNotInterrupted();
  } catch (cause) {
    if (interrupted && !wasUp) {
      goOn();
      await down();
    }
    throw cause;
  }
  process.stdout.write(`${statusText(await status())}\n`);
  return EXIT.done;
}

async function takeDown(): Promise<number> {
  await down();
  return EXIT.done;
}

async function image(): Promise<number> {
  if (!(await isThere())) throw new Error('no testbed is up; `npm run testbed -- up` brings one up');
  await step('bundles', async () => await runCommand([process.execPath, 'scripts/build.ts', '--quiet']));
  const loaded = await loadAll();
  const where = loaded.length === 0 ? 'every machine had it already' : `on ${loaded.join(', ')}`;
  process.stdout.write(`${SINTER_IMAGE}: ${where}\n`);
  return EXIT.done;
}

async function tell(json: boolean): Promise<number> {
  const found = await status();
  process.stdout.write(`${json ? JSON.stringify(found, null, 2) : statusText(found)}\n`);
  return found.state === 'Up' ? EXIT.done : EXIT.notUp;
}
