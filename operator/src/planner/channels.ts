/**
 * How the calls of each edge usually travel, and under which terms.
 *
 * Owns: the channel that grouping and placement make, and the terms that hold (defaults filled in, what comes later
 * replaced by what happens instead). Neighbour: `placement.ts` says which machines run what.
 */
import type { ChannelKind, Edge } from '../model/nouns.ts';
import { predictedBy } from './compare.ts';
import type { OtherWay, OtherWays } from './compare.ts';
import { alternative, decision, edgeLabel, input, listText } from './decide.ts';
import type { Facts } from './facts.ts';
import { callInputs } from './inputs.ts';
import { allowedMachines, spread } from './placement.ts';
import type { Decision, PlanChannel, PlanTerms, PlanUnit, RetryableCode } from './plan.ts';

/** Errors that another attempt may cure, where an edge does not say which. */
const RETRYABLE: readonly RetryableCode[] = [
  'BusUnavailable',
  'CalleeLost',
  'ConnectionLost',
  'FunctionFailed',
  'Overloaded',
  'Timeout',
];

/** The API's defaults for an async edge that says nothing, and for a Service, which has no timeout of its own. */
const ASYNC_RETRY = { attempts: 5, on: [], backoffSeconds: 1, maxBackoffSeconds: 60 } as const;
const DEAD_LETTER_SECONDS = 604_800;
const SERVICE_TIMEOUT_SECONDS = 30;

interface Way {
  readonly channel: ChannelKind;
  readonly reason: string;
  readonly message: string;
}

export interface ChannelChoice {
  readonly channel: PlanChannel;
  readonly decision: Decision;
}

export function chooseChannel(
  edge: Edge,
  units: readonly PlanUnit[],
  ways: OtherWays,
  facts: Facts,
): ChannelChoice {
  const way = wayOf(edge, units, facts);
  const { from, to } = edge;
  return {
    channel: { from, to, channel: way.channel, terms: termsOf(edge, facts) },
    decision: decision({
      about: edgeLabel(from, to),
      kind: 'Channel',
      choice: way.channel,
      reason: way.reason,
      message: way.message,
      inputs: [
        input('call', edge.call, 'Workflow'),
        input('machines', listText(facts.snapshot.machines.map((m) => m.name)).slice(0, 256)),
        ...callInputs(from, to, facts),
      ],
      alternatives: others(edge, way, units, ways.get(from)?.get(to) ?? ways.get(to)?.get(from)),
    }),
  };
}

function wayOf(edge: Edge, units: readonly PlanUnit[], facts: Facts): Way {
  if (facts.services.has(edge.to) || facts.services.has(edge.from)) {
    return { channel: 'Remote', reason: 'NotYet', message: 'calls to and from Services come later' };
  }
  if (edge.call === 'Async') return queued(edge);
  const caller = unitOf(edge.from, units);
  const callee = unitOf(edge.to, units);
  if (caller === callee) {
    const message = `${edge.from} and ${edge.to} are in one process`;
    return { channel: 'InProcess', reason: 'SameUnit', message };
  }
  return acrossUnits(edge, caller, callee, facts);
}

function queued(edge: Edge): Way {
  if (edge.durability === 'LocalFirst') {
    const message = 'LocalFirst comes later; until then a call is accepted by the hub, as AtLeastOnce';
    return { channel: 'Queue', reason: 'NotYet', message };
  }
  const message = 'async calls are kept by the bus until they have succeeded, even inside one process';
  return { channel: 'Queue', reason: 'AsyncIsDurable', message };
}

function acrossUnits(
  { from, to }: Edge,
  caller: PlanUnit | undefined,
  callee: PlanUnit | undefined,
  facts: Facts,
): Way {
  const { machines } = facts.snapshot;
  const callers = caller ? allowedMachines(caller.placement, machines).map((m) => m.name) : [];
  const callees = new Set(callee ? spread(callee, callee.instances, machines) : []);
  const without = callers.filter((name) => !callees.has(name));
  if (callers.length > 0 && without.length === 0) {
    const message = `every machine that may run ${from} also runs ${to}`;
    return { channel: 'Node', reason: 'CalleeOnEveryMachine', message };
  }
  const message =
    callers.length === 0
      ? `no machine may run ${from}`
      : `${from} may run on ${listText(without)}, where ${to} does not run`;
  return { channel: 'Remote', reason: 'CalleeNotOnEveryMachine', message };
}

const unitOf = (fn: string, units: readonly PlanUnit[]): PlanUnit | undefined =>
  units.find((unit) => unit.functions.includes(fn));

/** The other way round of the pair is what another channel would come to, where that crosses the wall of a process. */
function others(edge: Edge, way: Way, units: readonly PlanUnit[], other: OtherWay | undefined) {
  if (edge.call === 'Async') {
    return [alternative('LocalQueue', 'NotYet', "the queue of the caller's own machine comes later")];
  }
  const together = unitOf(edge.from, units) === unitOf(edge.to, units);
  const predicted = other ? predictedBy(other) : {};
  if (together) {
    const message = 'a call leaves its process only when there is no room';
    return [alternative('Remote', 'SameUnit', message, predicted)];
  }
  const apart = alternative(
    'InProcess',
    'Apart',
    'the two are in different units; the decision on the pair says why',
    predicted,
  );
  const near = alternative(
    'Node',
    'CalleeNotOnEveryMachine',
    'the callee does not run on every such machine',
  );
  return way.channel === 'Node' ? [apart] : [near, apart];
}

/** The terms of an edge as they hold. Deferral is not among them yet: such a call starts at once. */
export function termsOf(edge: Edge, facts: Facts): PlanTerms {
  const callee = facts.functions.get(edge.to);
  const timeoutSeconds = edge.timeoutSeconds ?? callee?.spec.timeoutSeconds ?? SERVICE_TIMEOUT_SECONDS;
  const base = { call: edge.call, timeoutSeconds, ...retryTerms(edge) };
  if (edge.call === 'Sync') return base;
  return {
    ...base,
    durability: edge.durability === 'BestEffort' ? 'BestEffort' : 'AtLeastOnce',
    deadLetterRetentionSeconds: edge.deadLetter?.retentionSeconds ?? DEAD_LETTER_SECONDS,
  };
}

function retryTerms(edge: Edge) {
  const retry = edge.retry ?? (edge.call === 'Async' ? ASYNC_RETRY : undefined);
  if (!retry || retry.attempts === 1) return { attempts: 1 };
  const { attempts, on, backoffSeconds, maxBackoffSeconds } = retry;
  return { attempts, on: on.length > 0 ? [...on].sort() : RETRYABLE, backoffSeconds, maxBackoffSeconds };
}
