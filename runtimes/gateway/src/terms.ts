/**
 * How a call is wanted, as its request's headers say: at once or later, for how long, under which key.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Problem } from './problem.ts';

export interface Terms {
  readonly mode: 'Sync' | 'Async';
  /** At most this long, in milliseconds; undefined: as long as the function may take. */
  readonly timeoutMs?: number;
  readonly idempotencyKey?: string;
  /** May start this much later, in seconds. */
  readonly startDeadlineSeconds?: number;
}

export const TIMEOUT_HEADER = 'X-Sinter-Timeout-Seconds';
export const START_DEADLINE_HEADER = 'X-Sinter-Start-Deadline-Seconds';
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?$/;
const SYNC: Terms = { mode: 'Sync' };

export function readTerms(headers: IncomingHttpHeaders): Terms | Problem {
  const async = headers['x-sinter-async'];
  const prefer = headers['prefer'];
  const timeout = headers['x-sinter-timeout-seconds'];
  const start = headers['x-sinter-start-deadline-seconds'];
  const key = headers['idempotency-key'];
  if (
    async === undefined &&
    prefer === undefined &&
    timeout === undefined &&
    start === undefined &&
    key === undefined
  )
    return SYNC;
  if (async !== undefined && async !== 'true' && async !== 'false')
    return new Problem('BadRequest', `X-Sinter-Async is '${clip(async)}': 'true' or 'false' is allowed`);
  const timeoutSeconds = seconds(TIMEOUT_HEADER, timeout);
  if (timeoutSeconds instanceof Problem) return timeoutSeconds;
  const startDeadlineSeconds = seconds(START_DEADLINE_HEADER, start);
  if (startDeadlineSeconds instanceof Problem) return startDeadlineSeconds;
  if (key !== undefined && (typeof key !== 'string' || !KEY.test(key)))
    return new Problem('BadRequest', 'Idempotency-Key must have 1 to 256 printable ASCII characters');
  const mode = async === 'true' || (async === undefined && prefersAsync(prefer)) ? 'Async' : 'Sync';
  if (mode === 'Sync' && startDeadlineSeconds !== undefined)
    return new Problem(
      'BadRequest',
      `${START_DEADLINE_HEADER} needs an asynchronous call: add Prefer: respond-async`,
    );
  return {
    mode,
    ...(timeoutSeconds === undefined ? {} : { timeoutMs: timeoutSeconds * 1000 }),
    ...(startDeadlineSeconds === undefined ? {} : { startDeadlineSeconds }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
}

const prefersAsync = (prefer: string | string[] | undefined): boolean =>
  prefer !== undefined &&
  String(prefer)
    .split(',')
    .some((p) => /^\s*respond-async\s*(?:[;=]|$)/i.test(p));

function seconds(name: string, given: string | string[] | undefined): number | undefined | Problem {
  if (given === undefined) return undefined;
  const text = String(given);
  const value = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
  if (value > 0) return value;
  return new Problem(
    'BadRequest',
    `${name} is '${clip(text)}': a positive number of seconds is allowed, like 2.5`,
  );
}

const clip = (s: string | string[]): string => String(s).slice(0, 40);
