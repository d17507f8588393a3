/**
 * Every name on the bus: subjects, queue groups, inboxes, streams, consumers, buckets and keys.
 *
 * Owns: the spelling. Its neighbour `permissions.ts` says who may use which name.
 * Invariants:
 *  1. Nobody else in the project spells a name of the wire.
 *  2. Namespaces, workflows, functions, units are DNS labels (no dot, no underscore), so that one token never
 *     reads as two, and a leading underscore (`_gateway`) can never be a user's name.
 *  3. A name can be parsed back into what it was made of.
 */

/** Who calls, when no function of the graph does: the way in, or a trigger. */
export const GATEWAY_CALLER = '_gateway';
export const TRIGGER_CALLER = '_trigger';

/** How messages name a call: `ingest → count`; one that comes from outside by its function alone. */
export const callLabel = (caller: string, callee: string): string =>
  caller === GATEWAY_CALLER || caller === TRIGGER_CALLER ? callee : `${caller} → ${callee}`;

/** The queue group in which all instances of a function listen. */
export const CALL_QUEUE = 'fn';

/** JetStream domain of the hub. Set from the first day: a leaf with storage of its own would else answer for it. */
export const HUB_DOMAIN = 'hub';
export const JS_API_PREFIX = `$JS.${HUB_DOMAIN}.API`;

export const ROUTES_BUCKET = 'sinter-routes';
export const CALLS_BUCKET = 'sinter-calls';
export const RECORDS_BUCKET = 'sinter-records';

/** The durable consumer through which every host pulls the async work of one function. */
export const WORK_CONSUMER = 'work';

/** A workflow, as the wire tells it apart. */
export interface WorkflowKey {
  readonly namespace: string;
  readonly workflow: string;
}

/** A unit: what is deployed for one group of functions. */
export interface UnitKey extends WorkflowKey {
  readonly unit: string;
}

/** One running process of a unit. */
export interface InstanceKey extends UnitKey {
  readonly instance: string;
}

export const workflowToken = (w: WorkflowKey): string => `${w.namespace}.${w.workflow}`;
const unitToken = (u: UnitKey): string => `${workflowToken(u)}.${u.unit}`;

/** Where a function is called under one revision; `*` for permissions over every revision. */
export const callSubject = (w: WorkflowKey, revision: string, fn: string): string =>
  `fn.${workflowToken(w)}.${revision}.${fn}`;

/** Async work, accepted and ready to run. */
export const workSubject = (w: WorkflowKey, fn: string, caller: string, callId: string): string =>
  `work.${workflowToken(w)}.${fn}.${caller}.${callId}`;

/** Async work that waits for its release (D7). */
export const heldSubject = (w: WorkflowKey, fn: string, caller: string, callId: string): string =>
  `later.${workflowToken(w)}.${fn}.${caller}.${callId}`;

/** Async work that failed for good. */
export const deadSubject = (w: WorkflowKey, fn: string, caller: string, callId: string): string =>
  `dead.${workflowToken(w)}.${fn}.${caller}.${callId}`;

/** The stream of one callee function: its work, what is held and what is dead (D6, D7). */
export const asyncStream = (w: WorkflowKey, fn: string): string => `A_${w.namespace}_${w.workflow}_${fn}`;

export const asyncStreamSubjects = (w: WorkflowKey, fn: string): readonly string[] =>
  ['work', 'later', 'dead'].map((kind) => `${kind}.${workflowToken(w)}.${fn}.*.*`);

/** What the work consumer of a function pulls. */
export const workFilter = (w: WorkflowKey, fn: string): string => `work.${workflowToken(w)}.${fn}.*.*`;

/** What a subject of async work was made of; undefined where it is not one. */
export function parseWorkSubject(
  subject: string,
): (WorkflowKey & { readonly fn: string; readonly caller: string; readonly callId: string }) | undefined {
  const [kind, namespace, workflow, fn, caller, callId, ...rest] = subject.split('.');
  if ((kind !== 'work' && kind !== 'dead' && kind !== 'later') || rest.length > 0) return undefined;
  if (!namespace || !workflow || !fn || !caller || !callId) return undefined;
  return { namespace, workflow, fn, caller, callId };
}

/** What a call's subject was made of; undefined where it is not one. */
export function parseCallSubject(
  subject: string,
): (WorkflowKey & { readonly revision: string; readonly fn: string }) | undefined {
  const [kind, namespace, workflow, revision, fn, ...rest] = subject.split('.');
  if (kind !== 'fn' || rest.length > 0 || !namespace || !workflow || !revision || !fn) return undefined;
  return { namespace, workflow, revision, fn };
}

/** The inbox of one instance of a unit, without the closing `.>`: replies, cancellations, renewals. */
export const unitInbox = (i: InstanceKey): string => `_INBOX.${unitToken(i)}.${i.instance}`;

/** All inboxes of a unit: what its credential may subscribe to. */
export const unitInboxes = (u: UnitKey): string => `_INBOX.${unitToken(u)}.>`;

export const gatewayInbox = (instance: string): string => `_INBOX._gw.${instance}`;
export const gatewayInboxes = '_INBOX._gw.>';

/** Inboxes that a unit of this workflow may answer to: those of the workflow's units, and the gateways'. */
export const answerableInboxes = (w: WorkflowKey): readonly string[] => [
  `_INBOX.${workflowToken(w)}.*.>`,
  gatewayInboxes,
];

/** Is this reply address one that a caller of this workflow can own? Anything else is a reflected message. */
export const isAnswerable = (w: WorkflowKey, reply: string): boolean =>
  reply.startsWith(`_INBOX.${workflowToken(w)}.`) || reply.startsWith('_INBOX._gw.');

/** Where an instance takes cancellations, by the inbox of its link. */
export const controlSubject = (inbox: string): string => `${inbox}.ctl`;

/**
 * Is this the address for cancellations of an instance of this workflow? It is read from a callee's frame, and whoever
 * calls may publish to more than the callee may: without this a callee could choose what its caller publishes to.
 */
export const isControl = (w: WorkflowKey, subject: string): boolean =>
  subject.startsWith(`_INBOX.${workflowToken(w)}.`) &&
  subject.endsWith('.ctl') &&
  /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(subject);

/** Where an instance says that it lives, and that it drains. */
export const liveSubject = (i: InstanceKey): string => `live.${unitToken(i)}.${i.instance}`;

/** Where an instance says what it has seen (D14); the gateway reports per workflow as unit `_gateway`. */
export const seenSubject = (i: InstanceKey): string => `seen.${unitToken(i)}.${i.instance}`;

/** Who published an announcement or an observation; undefined where the subject is neither. */
export function parseInstanceSubject(subject: string): InstanceKey | undefined {
  const [kind, namespace, workflow, unit, instance, ...rest] = subject.split('.');
  if ((kind !== 'live' && kind !== 'seen') || rest.length > 0) return undefined;
  if (!namespace || !workflow || !unit || !instance) return undefined;
  return { namespace, workflow, unit, instance };
}

/** Key of a workflow in the bucket of routes. */
export const routeKey = workflowToken;

/** Key of what was observed of a workflow, in the bucket of records. */
export const observationsKey = (w: WorkflowKey): string => `observations.${workflowToken(w)}`;

/** Key of what a workflow's roll-outs have come to, in the bucket of records. */
export const rolloutKey = (w: WorkflowKey): string => `rollout.${workflowToken(w)}`;

/** Key of what only the gateway may read of a workflow: triggers, exposure, digests of keys. */
export const entryKey = (w: WorkflowKey): string => `_gateway.${workflowToken(w)}`;
export const entryKeys = '_gateway.*.*';

/** The workflow of a key of a route or an entry; undefined where it is neither. */
export function parseRouteKey(key: string): WorkflowKey | undefined {
  const [namespace, workflow, ...rest] = key.replace(/^_gateway\./, '').split('.');
  return namespace && workflow && rest.length === 0 ? { namespace, workflow } : undefined;
}

/** The subject under which a bucket keeps one key. Servers do not let it cross to or from a leaf. */
export const kvSubject = (bucket: string, key: string): string => `$KV.${bucket}.${key}`;
/** Where one key of a bucket is written from anywhere: the hub turns it into the key's own subject. */
export const kvWriteSubject = (bucket: string, key: string): string =>
  `${JS_API_PREFIX}.${kvSubject(bucket, key)}`;
/** Where the hub tells of a change of one key of the bucket of routes; unlike the key's own subject it crosses to leaves. */
export const changeSubject = (key: string): string => `changed.${key}`;
export const kvStream = (bucket: string): string => `KV_${bucket}`;

/** Key of the state and result of an entry's call. */
export const callKey = (w: WorkflowKey, callId: string): string => `${workflowToken(w)}.${callId}`;

/** Objects: the code of a namespace's functions, under the sha256 (hex) of their content (D18). */
export const modulesBucket = (namespace: string): string => `sinter-modules-${namespace}`;
export const objectStream = (bucket: string): string => `OBJ_${bucket}`;

/** The namespace whose modules are in this stream; undefined for every other stream. */
export const parseModulesStream = (stream: string): string | undefined => {
  const prefix = objectStream(modulesBucket(''));
  return stream.startsWith(prefix) ? stream.slice(prefix.length) : undefined;
};
