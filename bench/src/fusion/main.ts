/** `bench -- fusion`: options, the stage, and an end that leaves nothing behind, however it comes. */
import { clusterStage } from './clusterStage.ts';
import { fusion } from './fusion.ts';
import { USAGE, optionsOf } from './options.ts';

const EXIT = { done: 0, usage: 2, interrupted: 130 } as const;

/** Gives the exit code. Rejects with what went wrong on the way. */
export async function fusionBench(args: readonly string[]): Promise<number> {
  let options;
  try {
    options = optionsOf(args);
  } catch (cause) {
    process.stderr.write(`bench: ${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}\n`);
    return EXIT.usage;
  }
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      process.stderr.write('interrupted: taking away what is there\n');
      ended.abort(new Error('interrupted'));
    });
  // Who reads along and goes away must not leave a namespace behind.
  process.stdout.on('error', () => {
    ended.abort(new Error('nobody reads what is said'));
  });
  const stage = await clusterStage();
  try {
    await fusion(stage, { ...options, signal: ended.signal });
    return EXIT.done;
  } catch (cause) {
    if (ended.signal.aborted) return EXIT.interrupted;
    throw cause;
  } finally {
    await stage.close();
  }
}
