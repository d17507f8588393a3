/**
 * A sync call from the way in: its revision drawn, counted, sent, cancelled when its client goes away (D3, D4).
 *
 * Only here a call falls back: one that was drawn for a candidate which nobody serves is sent again under the current
 * revision, and counted against the candidate. It ran nowhere before, so it runs once.
 */
import { CallError, GATEWAY_CALLER, drawRevision, newId } from '@sinter/contract';
import type { CallHead, Outcome, Payload, RouteFunction } from '@sinter/contract';
import type { Caller, Clock } from '@sinter/bus';
import { answerProblem, answerResult } from './answer.ts';
import type { Exchange } from './answer.ts';
import type { Asked } from './asked.ts';
import { Problem, problemOf } from './problem.ts';
import type { Workflow } from './table.ts';
import type { Tally } from './tally.ts';
import type { Terms } from './terms.ts';
import { traceparentOf } from './trace.ts';

export type CallAsked = Extract<Asked, { what: 'Call' }>;

export interface InvokeOptions {
  readonly caller: Caller;
  readonly tally: Tally;
  readonly clock: Clock;
}

export interface Deployed {
  readonly revision: string;
  readonly fn: RouteFunction;
}

/** The function under the current revision. */
export function deployed(w: Workflow, fn: string): Deployed | Problem {
  const revision = w.route?.current ?? '';
  const where = `${w.namespace}/${w.workflow}`;
  if (revision === '') return new Problem('NotDeployed', `workflow ${where} has no plan that runs yet`);
  const found = w.functions.get(fn);
  return found
    ? { revision, fn: found }
    : new Problem('NotDeployed', `function ${fn} of ${where} is not part of the plan that runs now`);
}

/** The function under the candidate, where this call is drawn for it and it can be entered there. */
function drawn(w: Workflow, fn: string, callId: string): Deployed | undefined {
  if (!w.route || w.route.candidate === undefined) return undefined;
  const revision = drawRevision(w.route, callId);
  const found = revision === w.route.candidate ? w.candidateFunctions.get(fn) : undefined;
  return found?.served === true ? { revision, fn: found } : undefined;
}

/** Calls and answers. Everything up to the sending is one synchronous step: see the invariant of `tally.ts`. */
export async function invoke(
  options: InvokeOptions,
  exchange: Exchange,
  asked: CallAsked,
  terms: Terms,
  payload: Payload,
): Promise<void> {
  const head = headOf(exchange, terms);
  const call: Root = { ...asked, head, payload, terms, startedAtMs: options.clock.now() };
  const ended = await withAbort(exchange, (signal) => answered(options, call, signal));
  if (ended instanceof Problem) answerProblem(exchange, ended);
  else if (ended.outcome.ok) {
    const { payload: result, machine } = ended.outcome;
    answerResult(exchange, head.callId, result, machine, ended.revision, head.traceparent ?? '');
  } else answerProblem(exchange, problemOf(ended.outcome.error, asked.function, head.callId));
}

/** A root call of a client. */
interface Root extends CallAsked {
  readonly head: Head;
  readonly payload: Payload;
  readonly terms: Terms;
  readonly startedAtMs: number;
}

interface Ended {
  readonly outcome: Outcome;
  readonly revision: string;
}

/** Under what was drawn; where that is a candidate that nobody serves, under the current revision. */
async function answered(options: InvokeOptions, call: Root, signal: AbortSignal): Promise<Ended | Problem> {
  const { workflow, function: fn, head } = call;
  const candidate = drawn(workflow, fn, head.callId);
  if (candidate) {
    const outcome = await counted(options, call, candidate, signal, 'GiveUp');
    if (outcome.ok || outcome.foundNobody !== true) return { outcome, revision: candidate.revision };
  }
  const current = deployed(workflow, fn);
  if (current instanceof Problem) return current;
  if (!current.fn.served) return notServed(fn);
  return { outcome: await counted(options, call, current, signal), revision: current.revision };
}

/** Aborts while the client is gone. */
async function withAbort<T>({ res }: Exchange, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const gone = (): void => {
    abort.abort();
  };
  res.once('close', gone);
  try {
    return await work(abort.signal);
  } finally {
    res.off('close', gone);
  }
}

async function counted(
  { caller, tally, clock }: InvokeOptions,
  call: Root,
  { revision, fn: spec }: Deployed,
  signal: AbortSignal,
  onNobody?: 'GiveUp',
): Promise<Outcome> {
  const { workflow, function: fn, head, payload, terms } = call;
  const { namespace, workflow: name } = workflow;
  const startedAtMs = clock.now();
  tally.begins(workflow, revision);
  const outcome = await caller
    .call(
      { namespace, workflow: name, revision, function: fn },
      head,
      payload,
      { timeoutMs: limitMs(spec, terms) - (startedAtMs - call.startedAtMs), ...(onNobody && { onNobody }) },
      signal,
    )
    .catch((cause: unknown): Outcome => ({ ok: false, error: CallError.from(cause, fn) }));
  if (!outcome.ok && outcome.foundNobody === true) tally.fellBack(workflow, revision, fn);
  else tally.ends(workflow, revision, fn, outcome, clock.now() - startedAtMs, payload.bytes.byteLength);
  return outcome;
}

function limitMs({ timeoutSeconds }: RouteFunction, { timeoutMs = Infinity }: Terms): number {
  return Math.min(timeoutSeconds * 1000, timeoutMs);
}

export type Head = Omit<CallHead, 'attempt' | 'timeoutMs' | 'revision'>;

/** The head of a root call. */
export function headOf({ req }: Exchange, terms: Terms, callId = newId()): Head {
  return {
    callId,
    rootId: callId,
    caller: GATEWAY_CALLER,
    hops: 0,
    traceparent: traceparentOf(req.headers['traceparent']),
    ...(terms.idempotencyKey === undefined ? {} : { key: terms.idempotencyKey }),
  };
}

const notServed = (fn: string): Problem =>
  new Problem(
    'NoSuchFunction',
    `function ${fn} is called only from inside its unit under the plan that runs: a trigger or expose: All opens it`,
    { reason: 'NotServed', function: fn },
  );
