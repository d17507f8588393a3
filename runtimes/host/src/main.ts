/**
 * The host process: runs the JavaScript and WASM functions of one unit. Composition root: the only file of this package that
 * reads the environment, the clock and signals.
 */
import { readBootstrap } from '@sinter/bus';
import { takeEnvironments } from './environment.ts';
import { dropSpares, prepareThreads } from './threads/spares.ts';
import { Unit } from './unit.ts';
import type { LogLine } from './log.ts';
import type { UnitBootstrap } from './unit.ts';

/** Beyond the longest timeout that a function may have, in milliseconds. */
const DRAIN_LIMIT_MS = 15 * 60_000;

/** Threads that are started before it is known what they run; more at once would only wait for each other. */
const SPARES_LIMIT = 4;

const log: LogLine = (level, message, more = {}) => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...more })}\n`);
};

async function main(): Promise<void> {
  const bootstrap = readBootstrap<UnitBootstrap & { readonly functions: readonly string[] }>(() => {
    process.exit(0);
  });
  prepareThreads(Math.min(bootstrap.functions.length, SPARES_LIMIT));
  const starting = Unit.start({
    bootstrap,
    environments: takeEnvironments(process.env, bootstrap.functions),
    clock: performance,
    wallClock: Date.now,
    log,
  });
  stopWhenAsked(starting); // before it serves: a call that was accepted is finished, whenever the signal comes
  await starting;
  await dropSpares();
  log('info', 'serving', { unit: bootstrap.unit.unit, machine: bootstrap.machine });
}

function stopWhenAsked(starting: Promise<Unit>): void {
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    try {
      await (await starting).stop(DRAIN_LIMIT_MS);
      process.exit(0);
    } catch (cause) {
      log('error', `ended without draining: ${String(cause)}`);
      process.exit(1);
    }
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
}

process.on('unhandledRejection', (cause) => {
  log('error', `unhandled: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
});

main().catch((cause: unknown) => {
  log('error', cause instanceof Error ? cause.message : String(cause));
  process.exit(1);
});
