/**
 * State and result of an entry's async call, where the gateway reads them (bucket of calls, one hour).
 *
 * Owns: what the executing side writes. The gateway writes `Accepted`, and never over a later state.
 */
import { CALLS_BUCKET, CallError, callKey, kindOf, kvSubject } from '@sinter/contract';
import type { CallRecord, Payload, WorkflowKey } from '@sinter/contract';
import type { Link, PulledWork } from '@sinter/bus';

/** Beyond this a record would not fit into one message of the bus. */
const RECORD_LIMIT_BYTES = 1_000_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const base = (
  fn: string,
  work: PulledWork,
): Pick<CallRecord, 'callId' | 'function' | 'attempts' | 'acceptedAt'> => ({
  callId: work.call.head.callId,
  function: fn,
  attempts: work.deliveries,
  acceptedAt: new Date(work.acceptedAtMs).toISOString(),
});

export const runningRecord = (fn: string, work: PulledWork): CallRecord => ({
  ...base(fn, work),
  state: 'Running',
});

export function finishedRecord(
  fn: string,
  work: PulledWork,
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

export function putCallRecord(link: Link, workflow: WorkflowKey, record: CallRecord): void {
  const subject = kvSubject(CALLS_BUCKET, callKey(workflow, record.callId));
  link.publish(subject, encoder.encode(JSON.stringify(record)));
}
