/**
 * Who may publish and subscribe to what: the graph as a firewall (D11).
 *
 * Owns: the rights of each kind of process as lists of subjects. Its neighbour `names.ts` spells the subjects; the
 * operator's `bus/` signs these lists into credentials.
 * Invariants:
 *  1. A unit's rights follow from its functions and their edges alone; they never name a revision or an instance,
 *     so that a credential outlives a change of plan.
 *  2. Nobody but the operator holds `$JS.API.>`.
 *  3. Only an instance of a unit can read the unit's replies.
 */
import {
  CALL_QUEUE,
  CALLS_BUCKET,
  JS_API_PREFIX,
  ROUTES_BUCKET,
  WORK_CONSUMER,
  answerableInboxes,
  asyncStream,
  callSubject,
  changeSubject,
  deadSubject,
  entryKeys,
  gatewayInboxes,
  kvStream,
  kvSubject,
  kvWriteSubject,
  modulesBucket,
  objectStream,
  routeKey,
  unitInboxes,
  workSubject,
  workflowToken,
} from './names.ts';
import type { UnitKey, WorkflowKey } from './names.ts';

/** Subjects that may be published and subscribed to, in the server's own notation (`subject queue` for a queue group). */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** A declared call of one of a unit's functions. */
export interface ScopeEdge {
  readonly from: string;
  readonly to: string;
  readonly call: 'Sync' | 'Async';
}

/** What a unit's rights follow from. */
export interface UnitScope extends UnitKey {
  readonly functions: readonly string[];
  /** Edges that leave the unit's functions. */
  readonly edges: readonly ScopeEdge[];
  /** Functions of the unit that have a stream: they pull work and write dead letters. */
  readonly asyncFunctions: readonly string[];
}

/**
 * A request to JetStream under both of its names: a client on a leaf says `$JS.hub.API`, and the hub rewrites that to
 * `$JS.API` before it looks at the rights of a client of its own (seen on nats-server 2.15).
 */
const jetstream = (request: string): readonly string[] => [
  `${JS_API_PREFIX}.${request}`,
  `$JS.API.${request}`,
];

const directGet = (stream: string, subject: string): readonly string[] =>
  jetstream(`DIRECT.GET.${stream}.${subject}`);

/** Reading one workflow's route: its stored value, and its changes. */
const readRoute = (w: WorkflowKey): Permissions => ({
  publish: directGet(kvStream(ROUTES_BUCKET), kvSubject(ROUTES_BUCKET, routeKey(w))),
  subscribe: [changeSubject(routeKey(w))],
});

/** Writing keys of a bucket, under both names that it has, for the same reason. */
const writeKeys = (bucket: string, keys: string): readonly string[] => [
  kvWriteSubject(bucket, keys),
  kvSubject(bucket, keys),
];

/** Pulling, renewing and settling the work of one function; nothing about its stream can be changed. */
const pullWork = (w: WorkflowKey, fn: string): readonly string[] => {
  const stream = asyncStream(w, fn);
  return [
    ...jetstream(`CONSUMER.MSG.NEXT.${stream}.${WORK_CONSUMER}`),
    `$JS.ACK.${stream}.${WORK_CONSUMER}.>`,
    deadSubject(w, fn, '*', '*'),
  ];
};

/** The rights of a unit. */
export function unitPermissions(scope: UnitScope): Permissions {
  const route = readRoute(scope);
  const calls = scope.edges.filter((e) => e.call === 'Sync').map((e) => callSubject(scope, '*', e.to));
  const sends = scope.edges
    .filter((e) => e.call === 'Async')
    .map((e) => workSubject(scope, e.to, e.from, '*'));
  return {
    publish: unique([
      ...calls,
      ...sends,
      ...answerableInboxes(scope),
      `live.${workflowToken(scope)}.${scope.unit}.*`,
      `seen.${workflowToken(scope)}.${scope.unit}.*`,
      ...writeKeys(CALLS_BUCKET, `${workflowToken(scope)}.*`),
      ...jetstream(`DIRECT.GET.${objectStream(modulesBucket(scope.namespace))}`),
      ...directGet(objectStream(modulesBucket(scope.namespace)), '>'),
      ...route.publish,
      ...scope.asyncFunctions.flatMap((fn) => pullWork(scope, fn)),
    ]),
    subscribe: unique([
      ...scope.functions.map((fn) => `${callSubject(scope, '*', fn)} ${CALL_QUEUE}`),
      unitInboxes(scope),
      ...route.subscribe,
    ]),
  };
}

/** The rights of a gateway: every entry of every workflow, no function's own subjects. */
export const gatewayPermissions: Permissions = {
  publish: [
    'fn.*.*.*.*',
    'work.*.*.*._gateway.*',
    'work.*.*.*._trigger.*',
    '_INBOX.*.*.*.>',
    'seen.*.*._gateway.*',
    'live.*.*._gateway.*',
    ...directGet(kvStream(ROUTES_BUCKET), '>'),
    ...jetstream(`DIRECT.GET.${kvStream(ROUTES_BUCKET)}`),
    ...directGet(kvStream(CALLS_BUCKET), '>'),
    ...writeKeys(CALLS_BUCKET, '>'),
  ],
  subscribe: [gatewayInboxes, changeSubject('*.*'), changeSubject(entryKeys)],
};

const unique = (xs: readonly string[]): readonly string[] => [...new Set(xs)].sort();
