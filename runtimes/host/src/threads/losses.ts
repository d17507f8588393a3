/** The errors that a runtime itself gives, in words that say what to do. */
import { CallError } from '@sinter/contract';

export const timedOut = (fn: string, timeoutMs: number, waitedFor?: string): CallError =>
  new CallError(
    'Timeout',
    `function '${fn}' had no result within its ${String(Math.round(timeoutMs))} ms` +
      (waitedFor === undefined ? '' : ` (it had not begun: ${waitedFor})`),
    { function: fn },
  );

export const cancelledBy = (fn: string): CallError =>
  new CallError('Cancelled', `the call to function '${fn}' was cancelled by its caller`, { function: fn });

export const closing = (fn: string): CallError =>
  new CallError('CalleeLost', `function '${fn}' is being closed`, { reason: 'Closing', function: fn });

export const threadLost = (fn: string, why: string): CallError =>
  new CallError('FunctionFailed', `function '${fn}' lost its thread: ${why}; a new one is started`, {
    reason: 'ThreadLost',
    function: fn,
  });

const MB = 1024 * 1024;

export const outOfMemory = (memoryBytes: number): string =>
  `it needed more than its ${String(Math.round(memoryBytes / MB))} MiB of memory ` +
  `(raise resources.limits.memory of the function, or keep less at once)`;
