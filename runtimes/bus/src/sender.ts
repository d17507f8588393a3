/**
 * Async work handed on: accepted means that the hub has it on disk (D6).
 *
 * Owns: the publish, its acknowledgement, and the resends in between. Invariant: every resend carries the same message id,
 * so that the server keeps one of them.
 */
import { CallError, asyncStream, workSubject, writeCall } from '@sinter/contract';
import type { CallHead, Payload, WorkflowKey } from '@sinter/contract';
import type { Msg } from '@nats-io/transport-node';
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
const decoder = new TextDecoder();

/** Says whether the server had this work already (the same key, or a resend whose first try had arrived). */
export async function sendWork(
  session: Session,
  clock: Clock,
  work: Work,
): Promise<{ readonly duplicate: boolean }> {
  const { workflow, head } = work;
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
  for (;;) {
    const left = deadlineAtMs - clock.now();
    try {
      if (left > 0 && (await session.whenUp(left)))
        return readAck(
          await session.link.request(subject, work.payload.bytes, Math.min(TRY_MS, left), headers),
          work,
        );
    } catch (cause) {
      if (!(cause instanceof CallError) || cause.code !== 'BusUnavailable') throw cause;
    }
    if (deadlineAtMs - clock.now() <= PAUSE_MS) throw notAccepted(work);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

const notAccepted = (work: Work): CallError =>
  new CallError(
    'BusUnavailable',
    `${work.head.caller} → ${work.function}: the bus did not accept the call within ${String(ACCEPT_LIMIT_MS)} ms`,
  );

/** Codes of the server that no resend will mend. */
const FULL = new Set([10047, 10023, 10077]);

function readAck(msg: Msg, work: Work): { readonly duplicate: boolean } {
  const ack: unknown = JSON.parse(decoder.decode(msg.data));
  if (typeof ack !== 'object' || ack === null) throw notAccepted(work);
  if ('error' in ack) {
    const { error } = ack;
    const description =
      typeof error === 'object' && error !== null && 'description' in error
        ? String(error.description)
        : 'refused';
    const code =
      typeof error === 'object' && error !== null && 'err_code' in error ? Number(error.err_code) : 0;
    throw new CallError(
      FULL.has(code) ? 'QuotaExceeded' : 'BusUnavailable',
      `${work.head.caller} → ${work.function}: the bus refused the call: ${description}`,
    );
  }
  return { duplicate: 'duplicate' in ack && ack.duplicate === true };
}
