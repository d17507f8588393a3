/**
 * Async work handed on: accepted means that the hub has it on disk (D6).
 *
 * Owns: the publish, its acknowledgement, and the resends in between. Invariant: every resend carries the same message id,
 * so that the server keeps one of them.
 */
import {
  CallError,
  HOPS_LIMIT,
  asyncStream,
  callLabel,
  within,
  workSubject,
  writeCall,
} from '@sinter/contract';
import type { CallHead, Payload, WorkflowKey } from '@sinter/contract';
import { readAck } from './acks.ts';
import type { Clock } from './clock.ts';
import { HeaderBlock } from './headers.ts';
import type { Session } from './session.ts';

export interface Work {
  readonly workflow: WorkflowKey;
  readonly function: string;
  readonly head: Omit<CallHead, 'attempt' | 'timeoutMs'>;
  readonly payload: Payload;
  readonly durability: 'AtLeastOnce' | 'BestEffort';
}

/** Accepted within this long, or the caller is told that the bus is unavailable. */
export const ACCEPT_LIMIT_MS = 2_000;
const TRY_MS = 700;
const PAUSE_MS = 50;
/** A key becomes part of a header and of the server's memory of ids. */
export const KEY_LIMIT = 256;

/** Says whether the server had this work already (the same key, or a resend whose first try had arrived). */
export async function sendWork(
  session: Session,
  clock: Clock,
  work: Work,
): Promise<{ readonly duplicate: boolean }> {
  const { workflow, head } = work;
  const what = callLabel(head.caller, work.function);
  refuse(work, what);
  const subject = workSubject(workflow, work.function, head.caller, head.callId);
  const headers = new HeaderBlock();
  writeCall(headers, { head: { ...head, attempt: 1, timeoutMs: 0 }, payload: work.payload });
  headers.set('Nats-Msg-Id', head.key === undefined ? head.callId : `${head.caller}.${head.key}`);
  headers.set('Nats-Expected-Stream', asyncStream(workflow, work.function));
  if (work.durability === 'BestEffort') {
    session.link.publish(subject, work.payload.bytes, headers);
    return { duplicate: false };
  }
  const deadlineAtMs = clock.now() + ACCEPT_LIMIT_MS;
  let last: unknown;
  for (;;) {
    const left = deadlineAtMs - clock.now();
    try {
      if (left > 0 && (await session.whenUp(left))) {
        const tryMs = Math.max(1, Math.min(TRY_MS, deadlineAtMs - clock.now()));
        return readAck(await session.link.request(subject, work.payload.bytes, tryMs, headers), what);
      }
    } catch (cause) {
      if (!(cause instanceof CallError) || cause.code !== 'BusUnavailable') throw cause;
      last = cause;
    }
    if (deadlineAtMs - clock.now() <= PAUSE_MS) throw notAccepted(what, last);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Throws for what may not be sent at all. */
function refuse({ head, payload }: Work, what: string): void {
  if (head.hops >= HOPS_LIMIT)
    throw new CallError('TooManyHops', `${what}: a chain has at most ${String(HOPS_LIMIT)} calls`);
  if (head.key !== undefined && !isKey(head.key))
    throw new CallError(
      'FunctionFailed',
      `${what}: a key has 1 to ${String(KEY_LIMIT)} visible characters of ASCII, ${String(head.key.length)} were given or others among them`,
      { reason: 'BadKey' },
    );
  within(payload, `input of ${what}`);
}

/** What comes back from a header as it was put there. */
const isKey = (key: string): boolean => key.length <= KEY_LIMIT && /^[!-~]([ -~]*[!-~])?$/.test(key);

const notAccepted = (what: string, last: unknown): CallError =>
  new CallError(
    'BusUnavailable',
    `${what}: the bus did not accept the call within ${String(ACCEPT_LIMIT_MS)} ms` +
      (last instanceof Error ? ` (${last.message})` : ''),
    { cause: last },
  );
