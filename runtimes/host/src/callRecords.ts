/**
 * State and result of an entry's async call, where the gateway reads them (bucket of calls, one hour).
 *
 * Owns: what the executing side writes. The gateway writes `Accepted`, and never over a later state.
 */
import { CALLS_BUCKET, CallError, callKey, kindOf, kvWriteSubject } from '@sinter/contract';
import type { CallRecord, Payload, WorkflowKey } from '@sinter/contract';
import { readAck } from '@sinter/bus';
import type { DeadWork, Link, Session } from '@sinter/bus';

/** Beyond this a record would not fit into one message of the bus. */
const RECORD_LIMIT_BYTES = 1_000_000;
const TRY_MS = 2_000;
const STORE_LIMIT_MS = 10_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const base = (
  fn: string,
  work: DeadWork,
): Pick<CallRecord, 'callId' | 'function' | 'attempts' | 'acceptedAt'> => ({
  callId: work.callId,
  function: fn,
  attempts: work.deliveries,
  acceptedAt: new Date(work.acceptedAtMs).toISOString(),
});

export const runningRecord = (fn: string, work: DeadWork): CallRecord => ({
  ...base(fn, work),
  state: 'Running',
});

export function finishedRecord(
  fn: string,
  work: DeadWork,
  end: Payload | CallError,
  nowMs: number,
): CallRecord {
  const finishedAt = new Date(nowMs).toISOString();
  if (end instanceof CallError) {
    const error = { code: end.code, message: end.message.slice(0, 4096) };
    return { ...base(fn, work), state: 'Failed', error, finishedAt };
  }
  const result =
    kindOf(end.contentType) === 'Bytes'
      ? Buffer.from(end.bytes).toString('base64')
      : decoder.decode(end.bytes);
  const record: CallRecord = {
    ...base(fn, work),
    state: 'Succeeded',
    finishedAt,
    contentType: end.contentType,
  };
  return result.length > RECORD_LIMIT_BYTES ? { ...record, resultTooLarge: true } : { ...record, result };
}

/** A state on the way: nobody waits for it. */
export function putCallRecord(link: Link, workflow: WorkflowKey, record: CallRecord): void {
  link.publish(subjectOf(workflow, record), encoder.encode(JSON.stringify(record)));
}

/** The last state: resolves when it is stored, rejects when it could not be within STORE_LIMIT_MS. */
export async function storeCallRecord(
  session: Session,
  workflow: WorkflowKey,
  record: CallRecord,
): Promise<void> {
  const subject = subjectOf(workflow, record);
  const bytes = encoder.encode(JSON.stringify(record));
  for (let tries = 1; ; tries++) {
    try {
      await session.whenUp(TRY_MS);
      readAck(await session.link.request(subject, bytes, TRY_MS), 'the state of a call');
      return;
    } catch (cause) {
      if (tries * TRY_MS >= STORE_LIMIT_MS) throw cause;
    }
  }
}

const subjectOf = (workflow: WorkflowKey, record: CallRecord): string =>
  kvWriteSubject(CALLS_BUCKET, callKey(workflow, record.callId));
