/**
 * The gateway process. Composition root: the only file of this package that reads the environment, clocks and signals.
 *
 * It prints one line to standard output when it is up, `{"listening": {"host": …, "port": …}}`, and logs, a JSON object a
 * line, to standard error.
 */
import { readBootstrap } from '@sinter/bus';
import { Gateway } from './gateway.ts';
import type { GatewayBootstrap } from './gateway.ts';

/** Calls under way when it is told to end get this long, in milliseconds. */
const DRAIN_LIMIT_MS = 30_000;

const log = (level: 'info' | 'warn' | 'error', message: string): void => {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, message })}\n`);
};

async function main(): Promise<void> {
  const bootstrap = readBootstrap<GatewayBootstrap>(() => {
    process.exit(0);
  });
  const gateway = await Gateway.start({
    bootstrap,
    clock: performance,
    wallClock: Date.now,
    onProblem: (problem) => {
      log('warn', problem);
    },
    // Whoever started it starts it again, with the credential of that moment.
    onShutOut: (why) => {
      log('error', why);
      process.exit(1);
    },
  });
  process.stdout.write(`${JSON.stringify({ listening: gateway.address })}\n`);
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    gateway.stop(DRAIN_LIMIT_MS).then(
      () => process.exit(0),
      (cause: unknown) => {
        log('error', `ended without draining: ${String(cause)}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

process.on('unhandledRejection', (cause) => {
  log('error', `unhandled: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
});

main().catch((cause: unknown) => {
  log('error', cause instanceof Error ? cause.message : String(cause));
  process.exit(1);
});
