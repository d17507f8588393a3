/**
 * Ctrl-C, SIGTERM, SIGHUP, and the end of the process that started this one.
 *
 * Owns: one AbortSignal for all of them, and the force of a second Ctrl-C. Invariant: the same keystroke may arrive
 * twice (from the terminal, and passed on by the launcher or npm), so a second one counts only after a moment.
 */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Shorter than any person's second thought, longer than any way of a signal. */
const SAME_KEYSTROKE_MS = 400;

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Which one came; undefined: none. */
  readonly by: () => NodeJS.Signals | undefined;
  /** Gives signals back to the system. */
  release(): void;
}

/** `onForce` is called at the second Ctrl-C, after which the process ends at once. */
export function onInterrupt(onForce: () => void): Interrupt {
  const controller = new AbortController();
  let by: NodeJS.Signals | undefined;
  let atMs = 0;
  const handle = (signal: NodeJS.Signals): void => {
    if (by === undefined) {
      [by, atMs] = [signal, performance.now()];
      controller.abort();
    } else if (signal === 'SIGINT' && performance.now() - atMs > SAME_KEYSTROKE_MS) {
      onForce();
      process.exit(exitCodeOf(signal));
    }
  };
  const parentGone = (): void => {
    handle('SIGHUP');
  };
  for (const signal of SIGNALS) process.on(signal, handle);
  process.on('disconnect', parentGone);
  process.channel?.unref();
  return {
    signal: controller.signal,
    by: () => by,
    release: () => {
      for (const signal of SIGNALS) process.off(signal, handle);
      process.off('disconnect', parentGone);
    },
  };
}

/** 128 + the signal's number, as shells have it. */
export const exitCodeOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** The exit code of what was ended before it was done. */
export const endedBy = ({ by }: Interrupt): number => exitCodeOf(by() ?? 'SIGINT');
