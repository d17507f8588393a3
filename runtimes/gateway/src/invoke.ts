/**
 * A sync call from the way in: counted, sent, cancelled when its client goes away (D3, D4).
 */
import { CallError, GATEWAY_CALLER, newId } from '@sinter/contract';
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

/** The function under the revision that entries use now. */
export function deployed(w: Workflow, fn: string): Deployed | Problem {
  const revision = w.route?.current ?? '';
  const where = `${w.namespace}/${w.workflow}`;
  if (revision === '') return new Problem('NotDeployed', `workflow ${where} has no plan that runs yet`);
  const found = w.functions.get(fn);
  return found
    ? { revision, fn: found }
    : new Problem('NotDeployed', `function ${fn} of ${where} is not part of the plan that runs now`);
}

/** Calls and answers. Everything up to the sending is one synchronous step: see the invariant of `tally.ts`. */
export async function invoke(
  options: InvokeOptions,
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
  if (!target.fn.served) {
    answerProblem(exchange, notServed(fn));
    return;
  }
  const head = headOf(exchange, terms);
  const outcome = await counted(options, exchange, asked, target, head, terms, payload);
  if (outcome.ok)
    answerResult(exchange, head.callId, outcome.payload, outcome.machine, head.traceparent ?? '');
  else answerProblem(exchange, problemOf(outcome.error, fn, head.callId));
}

async function counted(
  { caller, tally, clock }: InvokeOptions,
  { res }: Exchange,
  { workflow, function: fn }: CallAsked,
  { revision, fn: spec }: Deployed,
  head: Head,
  terms: Terms,
  payload: Payload,
): Promise<Outcome> {
  const abort = new AbortController();
  const gone = (): void => {
    abort.abort();
  };
  res.once('close', gone);
  const startedAtMs = clock.now();
  tally.begins(workflow, revision);
  let machine: string | undefined;
  try {
    const { namespace, workflow: name } = workflow;
    const callee = { namespace, workflow: name, revision, function: fn };
    const limitMs = spec.timeoutSeconds * 1000;
    const timeoutMs = Math.min(limitMs, terms.timeoutMs ?? limitMs);
    const outcome = await caller.call(callee, head, payload, { timeoutMs }, abort.signal);
    if (outcome.ok) machine = outcome.machine;
    return outcome;
  } catch (cause) {
    return { ok: false, error: CallError.from(cause, fn) };
  } finally {
    res.off('close', gone);
    tally.ends(workflow, revision, fn, machine, clock.now() - startedAtMs);
  }
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
