/**
 * An async call from the way in: durable before it is answered, and its state to be asked for (D6).
 *
 * Owns: the record `Accepted`, and what a second request with the same key is told. The host that runs the call writes the
 * later states to the same key.
 *
 *   1. with a key: is there a record?   2. the work is stored   3. the record is created, unless one stands   4. 202
 *
 * The work comes first, so that a record always means that there is, or was, work: a repeated key needs no second sending,
 * however long the first call lies in its queue. (The other way round, a record left by a gateway that died before 2 looks
 * like a queued call, and the server forgets message ids after two minutes.) Two requests with one key at the same time
 * both get to 2, where the server keeps one of them by its message id.
 * Invariants:
 *  1. `Accepted` never overwrites a later state: it is created only where nothing stands.
 *  2. A 202 is given only when the hub has the work on disk, and for stored work nothing else is answered: should the record
 *     fail then, the host that runs the call still writes the later ones.
 *  3. A key stands for one call id for as long as its record is kept (one hour), and every answer names the same.
 */
import { createHash } from 'node:crypto';
import { CALLS_BUCKET, CallError, callKey, kindOf, kvWriteSubject, newId } from '@sinter/contract';
import type { CallRecord, Payload, WorkflowKey } from '@sinter/contract';
import { HeaderBlock, sendWork } from '@sinter/bus';
import type { Clock, Session } from '@sinter/bus';
import { answerJson, answerProblem } from './answer.ts';
import type { Exchange } from './answer.ts';
import { authUnavailable, noSuchCall } from './asked.ts';
import type { Asked } from './asked.ts';
import { readKey } from './bucket.ts';
import { deployed, headOf } from './invoke.ts';
import type { CallAsked } from './invoke.ts';
import { Problem, problemOf } from './problem.ts';
import { mayRead } from './rights.ts';
import { START_DEADLINE_HEADER } from './terms.ts';
import type { Terms } from './terms.ts';

export interface AcceptOptions {
  readonly session: Session;
  readonly clock: Clock;
  /** Milliseconds since 1970: what a record is dated by. */
  readonly wallClock: () => number;
  readonly onProblem: (problem: string) => void;
}

const TRY_MS = 700;
const RECORD_TRIES = 3;
const LIMIT_MS = 2_000;
/** The server's word that something stands under the key already. */
const WRONG_LAST = new Set([10071, 10164]);
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Accepts a call and answers 202, or says why not. */
export async function accept(
  options: AcceptOptions,
  exchange: Exchange,
  asked: CallAsked,
  terms: Terms,
  payload: Payload,
): Promise<void> {
  const { workflow, function: fn } = asked;
  const target = deployed(workflow, fn);
  if (target instanceof Problem) {
    answerProblem(exchange, target);
    return;
  }
  if (!target.fn.async) {
    answerProblem(exchange, notAsync(fn));
    return;
  }
  const key = scopedKey(asked.principal, terms.idempotencyKey);
  const callId = key === undefined ? newId() : idOf(workflow, fn, key);
  try {
    const known = key !== undefined && (await readRecord(options, workflow, callId)) !== undefined;
    let duplicate = known;
    if (!known) {
      const head = { ...headOf(exchange, terms, callId), revision: target.revision };
      const keyed = key === undefined ? head : { ...head, key };
      const work = { workflow, function: fn, head: keyed, payload, durability: 'AtLeastOnce' as const };
      const sent = await sendWork(options.session, options.clock, work);
      duplicate = key !== undefined && sent.duplicate;
      await record(options, workflow, fn, callId);
    }
    answerAccepted(exchange, workflow, callId, terms, duplicate);
  } catch (cause) {
    answerProblem(exchange, problemOf(asCallError(cause), fn, callId));
  }
}

/** Answers the state of a call. */
export async function state(
  options: AcceptOptions,
  exchange: Exchange,
  { workflow, callId, rights }: Extract<Asked, { what: 'State' }>,
): Promise<void> {
  try {
    const record = await readRecord(options, workflow, callId);
    if (record && mayRead(rights, record.function)) answerJson(exchange, 200, shown(record));
    else
      answerProblem(
        exchange,
        record && rights.unjudged.has(record.function) ? authUnavailable() : noSuchCall(),
      );
  } catch (cause) {
    const { code } = asCallError(cause);
    answerProblem(
      exchange,
      new Problem(code, 'the state cannot be read at the moment: try again', { callId }),
    );
  }
}

function answerAccepted(
  exchange: Exchange,
  w: WorkflowKey,
  callId: string,
  terms: Terms,
  duplicate: boolean,
): void {
  const notice =
    terms.startDeadlineSeconds === undefined
      ? undefined
      : `NotYet: ${START_DEADLINE_HEADER} is understood but not yet made use of; the call starts as soon as there is room`;
  answerJson(
    exchange,
    202,
    { callId, ...(duplicate ? { duplicate } : {}), ...(notice === undefined ? {} : { notice }) },
    {
      Location: `/call/${w.namespace}/${w.workflow}/calls/${callId}`,
      'Preference-Applied': 'respond-async',
      'Sinter-Call-Id': callId,
      ...(notice === undefined ? {} : { 'Sinter-Notice': notice }),
    },
  );
}

/** Creates the record, unless one stands. A failure is reported and forgiven: the call is accepted without it. */
async function record(o: AcceptOptions, w: WorkflowKey, fn: string, callId: string): Promise<void> {
  const acceptedAt = new Date(o.wallClock()).toISOString();
  const accepted: CallRecord = { callId, function: fn, state: 'Accepted', attempts: 0, acceptedAt };
  const subject = kvWriteSubject(CALLS_BUCKET, callKey(w, callId));
  const bytes = encoder.encode(JSON.stringify(accepted));
  for (let tries = 1; tries <= RECORD_TRIES; tries++) {
    const headers = new HeaderBlock();
    headers.set('Nats-Expected-Last-Subject-Sequence', '0');
    try {
      await o.session.whenUp(TRY_MS);
      const ack = await o.session.link.request(subject, bytes, TRY_MS, headers);
      const code = refusalOf(JSON.parse(decoder.decode(ack.data)));
      if (code !== undefined && !WRONG_LAST.has(code)) o.onProblem(`${callId}: no record (${String(code)})`);
      return;
    } catch (cause) {
      if (tries === RECORD_TRIES) o.onProblem(`${callId}: no record: ${String(cause)}`);
    }
  }
}

/** The code with which the server refused a publish; undefined where it did not. */
function refusalOf(ack: unknown): number | undefined {
  const error = typeof ack === 'object' && ack !== null && 'error' in ack ? ack.error : undefined;
  if (typeof error !== 'object' || error === null) return undefined;
  return 'err_code' in error ? Number(error.err_code) : 0;
}

async function readRecord(
  { session }: AcceptOptions,
  w: WorkflowKey,
  callId: string,
): Promise<CallRecord | undefined> {
  if (!(await session.whenUp(LIMIT_MS))) throw unavailable('no server of the bus is reachable');
  const stored = await readKey(session.link, CALLS_BUCKET, callKey(w, callId), LIMIT_MS);
  if (!stored || stored.bytes.byteLength === 0) return undefined;
  return JSON.parse(decoder.decode(stored.bytes)) as CallRecord;
}

/** A record as a client sees it: the result in the form in which it would have come. */
function shown(record: CallRecord): object {
  const { result, contentType, ...rest } = record;
  if (result === undefined || contentType === undefined) return rest;
  if (kindOf(contentType) !== 'Json') return { ...rest, contentType, result };
  try {
    return { ...rest, contentType, result: JSON.parse(result === '' ? 'null' : result) as unknown };
  } catch {
    // A function may call text JSON that is none; it is then shown as the text that it is.
    return { ...rest, contentType: 'text/plain', result };
  }
}

/** A key counts among the calls of one client: another's cannot be met, or read, by naming the same. */
const scopedKey = (principal: string, key: string | undefined): string | undefined =>
  key === undefined || principal === '' ? key : `${principal}.${key}`;

/** The id that a key stands for, in the form of every other id. */
export function idOf({ namespace, workflow }: WorkflowKey, fn: string, key: string): string {
  const bytes = createHash('sha256').update([namespace, workflow, fn, key].join('\n')).digest();
  return Array.from(bytes.subarray(0, 20), (byte) => ALPHABET.charAt(byte & 31)).join('');
}

const asCallError = (cause: unknown): CallError =>
  cause instanceof CallError ? cause : unavailable(String(cause));

const unavailable = (why: string): CallError => new CallError('BusUnavailable', why);

const notAsync = (fn: string): Problem =>
  new Problem(
    'NotAsync',
    `function ${fn} has no queue: leave Prefer: respond-async out, or declare a trigger or an Async edge to it`,
    { function: fn },
  );
