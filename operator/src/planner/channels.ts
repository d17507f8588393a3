/**
 * How the calls of each edge usually travel, and under which terms.
 *
 * Owns: the channel that grouping and placement make, and the terms that hold (defaults filled in, what comes later
 * replaced by what happens instead). Neighbour: `placement.ts` says which machines run what.
 */
import type { ChannelKind, Edge } from '../model/nouns.ts';
import { alternative, decision, edgeLabel, input, listText } from './decide.ts';
import type { SnapshotFunction } from '../snapshot/snapshot.ts';
import { architecturesOf, instancesOf, tiersOf } from './facts.ts';
import type { Facts } from './facts.ts';
import { allowedMachines, spread } from './placement.ts';
import type { Decision, PlanChannel, PlanPlacement, PlanTerms, PlanUnit, RetryableCode } from './plan.ts';

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

export function chooseChannel(edge: Edge, units: readonly PlanUnit[], facts: Facts): ChannelChoice {
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
      ],
      alternatives: others(edge, way, units),
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

/** How a sync call would travel between two functions that each run alone. */
export function channelApart({ from, to }: Edge, facts: Facts): 'Node' | 'Remote' {
  const [caller, callee] = [facts.functions.get(from), facts.functions.get(to)];
  if (!caller || !callee) return 'Remote';
  const { machines } = facts.snapshot;
  const callers = allowedMachines(placementAlone(caller, facts), machines);
  const callees = new Set(
    spread({ placement: placementAlone(callee, facts) }, instancesOf(callee), machines),
  );
  return callers.length > 0 && callers.every((m) => callees.has(m.name)) ? 'Node' : 'Remote';
}

const placementAlone = (fn: SnapshotFunction, facts: Facts): PlanPlacement => ({
  tiers: tiersOf(fn),
  architectures: architecturesOf(fn, facts),
});

const unitOf = (fn: string, units: readonly PlanUnit[]): PlanUnit | undefined =>
  units.find((unit) => unit.functions.includes(fn));

function others(edge: Edge, way: Way, units: readonly PlanUnit[]) {
  if (edge.call === 'Async') {
    return [alternative('LocalQueue', 'NotYet', "the queue of the caller's own machine comes later")];
  }
  const together = unitOf(edge.from, units) === unitOf(edge.to, units);
  if (together)
    return [alternative('Remote', 'SameUnit', 'a call leaves its process only when there is no room')];
  const apart = alternative(
    'InProcess',
    'Apart',
    'the two are in different units; the decision on the pair says why',
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
