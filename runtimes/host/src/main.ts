/**
 * The host process: runs the JavaScript and WASM functions of one unit. Composition root: the only file of this package that
 * reads the environment, the clock and signals.
 */
import { readBootstrap } from '@sinter/bus';
import { takeEnvironments } from './environment.ts';
import { answerProbes } from './health.ts';
import { takePullSettings } from './images/settings.ts';
import { dropSpares, prepareThreads } from './threads/spares.ts';
import { Unit } from './unit.ts';
import type { LogLine } from './log.ts';
import type { UnitBootstrap } from './unit.ts';

/** After the longest call: to publish its result, and to close. */
const DRAIN_SLACK_MS = 10_000;

/** Threads that are started before it is known what they run; more at once would only wait for each other. */
const SPARES_LIMIT = 4;

const HEALTH_PORT_VARIABLE = 'SINTER_HEALTH_PORT';

const log: LogLine = (level, message, more = {}) => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...more })}\n`);
};

async function main(ended: AbortSignal, started: (unit: Promise<Unit>) => void): Promise<void> {
  const bootstrap = readBootstrap<UnitBootstrap & { readonly functions: readonly string[] }>(() => {
    process.exit(0);
  });
  prepareThreads(Math.min(bootstrap.functions.length, SPARES_LIMIT));
  const starting = Unit.start({
    bootstrap,
    environments: takeEnvironments(process.env, bootstrap.functions),
    pull: takePullSettings(process.env),
    clock: performance,
    startedAtMs: 0, // this clock begins with the process
    wallClock: Date.now,
    ended,
    onShutOut: endShutOut,
    log,
  });
  started(starting);
  const unit = await starting;
  log('info', 'serving', { unit: bootstrap.unit.unit, machine: bootstrap.machine });
  await dropSpares();
  await beProbed(unit);
}

/** Whoever started it starts it again, with the credential of that moment. Nothing it says would reach anybody now. */
function endShutOut(why: string): void {
  log('error', why);
  process.exit(1);
}

/** Where a kubelet asks how it is; on a laptop nobody does. */
async function beProbed(unit: Unit): Promise<void> {
  const port = Number(process.env[HEALTH_PORT_VARIABLE]);
  if (!(port > 0)) return;
  const server = await answerProbes(port, () => unit.ready);
  server.on('error', (cause) => {
    log('error', `probes cannot be answered: ${cause.message}`);
  });
}

/** Before it serves too: a call that was accepted is finished, whenever the signal comes. */
function stopWhenAsked(ended: AbortController): (unit: Promise<Unit>) => void {
  let starting: Promise<Unit> | undefined;
  const stop = async (): Promise<void> => {
    if (ended.signal.aborted) return;
    ended.abort();
    const unit = await starting?.catch(() => undefined);
    if (!unit) process.exit(0); // nothing was accepted
    await unit.stop(unit.longestCallMs + DRAIN_SLACK_MS).then(
      () => process.exit(0),
      (cause: unknown) => {
        log('error', `ended without draining: ${String(cause)}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  return (unit) => {
    starting = unit;
  };
}

process.on('unhandledRejection', (cause) => {
  log('error', `unhandled: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
});

const ended = new AbortController();
main(ended.signal, stopWhenAsked(ended)).catch((cause: unknown) => {
  if (ended.signal.aborted) return; // it is ending in order
  log('error', cause instanceof Error ? cause.message : String(cause));
  process.exit(1);
});
