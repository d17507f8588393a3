/**
 * Server-side apply that writes nothing where nothing would change.
 *
 * Owns: what is sent, and when it need not be. Neighbour: `owned.ts` reads who owns which field.
 *
 * How a write is found to be needless. The server notes per manager which fields it owns, and takes a field away from it
 * when anybody else changes it. So if we still own exactly the fields that we want, they have the values that we applied last;
 * what is left to know is whether we want the same values as then. An object says it itself: its annotation ANNOTATION is a
 * hash of what was applied. A status cannot carry one, so its values are compared. Defaults, `1000m` for `1` and whatever else
 * the server makes of what it is given are thus never compared with anything (decision 0010).
 *
 * Invariants:
 *  1. Only owned fields are sent: no resourceVersion, no managedFields, nothing undefined.
 *  2. What was applied before and is not wanted any more is removed, also after a restart.
 *  3. Where the server never notes what we sent (a field that it drops, a webhook that overrides), the second identical
 *     apply is the last one: what it made of it is remembered.
 *  4. A copy that the watch has not brought up to our last write is not believed: the same wish is not sent twice, and
 *     another one is sent, also when the old copy shows it already.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../model/canonical.ts';
import type { KubeClient } from './client.ts';
import { ApiError } from './errors.ts';
import { keyOf, type Kind, type KubeObject } from './objects.ts';
import { appliedFields, ownsExactly, shows } from './owned.ts';

export const ANNOTATION = 'sinter.dev/applied';

export interface Applied<T> {
  readonly what: 'created' | 'changed' | 'unchanged';
  /** As the server has it now; for `unchanged` the one from the store. */
  readonly object: T;
}

export interface ApplyRequest<T extends KubeObject> {
  readonly client: KubeClient;
  readonly kind: Kind<T>;
  /** Only the fields that this manager owns; undefined ones are left out. What it applied before and is not here is removed. */
  readonly desired: KubeObject;
  /** As the store shows it (an informer with this manager in `keepFieldsOf`); undefined: there is none, or nobody looks. */
  readonly current: T | undefined;
  readonly manager: string;
  /** Take fields from other managers; default true. Without it: a Conflict where somebody else owns one. */
  readonly force?: boolean;
  readonly signal: AbortSignal;
}

export async function applyObject<T extends KubeObject>(request: ApplyRequest<T>): Promise<Applied<T>> {
  const { client, kind, current, manager, force = true, signal } = request;
  const { body, hash } = signed(request.desired);
  const wanted = { subresource: '', manager, hash };
  if (current !== undefined && isApplied(current, body, wanted, () => annotated(current) === hash))
    return { what: 'unchanged', object: current };
  const { object, created } = await client.apply(kind, body, { fieldManager: manager, force, signal });
  remember(current, object, wanted);
  if (created) return { what: 'created', object };
  return { what: sameVersion(current, object) ? 'unchanged' : 'changed', object };
}

/** True when `applyObject` would write nothing. For who wants to know before. */
export function isAsDesired(current: KubeObject | undefined, desired: KubeObject, manager: string): boolean {
  if (current === undefined) return false;
  const { body, hash } = signed(desired);
  return isApplied(current, body, { subresource: '', manager, hash }, () => annotated(current) === hash);
}

export interface ApplyStatusRequest<T extends KubeObject> {
  readonly client: KubeClient;
  readonly kind: Kind<T>;
  /** As the store shows it (an informer with this manager in `keepFieldsOf`). */
  readonly current: T;
  /** The part of the status that this manager owns. */
  readonly status: object;
  readonly manager: string;
  readonly signal: AbortSignal;
}

/**
 * Never creates: NotFound when it is gone. A Conflict when it was made anew under its name meanwhile: the server does not look
 * at a uid in a status, so this is found afterwards, and the new object has a status that the next reconcile mends.
 */
export async function applyStatus<T extends KubeObject>(request: ApplyStatusRequest<T>): Promise<Applied<T>> {
  const { client, kind, current, manager, signal } = request;
  const { name, namespace } = current.metadata;
  const { apiVersion, kind: kindName } = kind;
  const status = stripped(request.status);
  const body = { apiVersion, kind: kindName, metadata: stripped({ name, namespace }), status };
  const wanted = { subresource: 'status', manager, hash: hashOf(body) };
  const sameValues = (fields: string): boolean =>
    shows(fields, { status }, { status: (current as { readonly status?: unknown }).status });
  if (isApplied(current, body, wanted, sameValues)) return { what: 'unchanged', object: current };
  const options = { fieldManager: manager, subresource: 'status' as const, signal };
  const { object } = await client.apply(kind, body, options);
  remember(current, object, wanted);
  if (object.metadata.uid !== current.metadata.uid) throw madeAnew(current);
  return { what: sameVersion(current, object) ? 'unchanged' : 'changed', object };
}

const madeAnew = (before: KubeObject): ApiError =>
  new ApiError(`the status of ${before.kind} ${keyOf(before.metadata)}`, {
    status: 409,
    reason: 'Conflict',
    message: `the object of uid ${before.metadata.uid ?? ''} was deleted and made anew`,
  });

/** The object as it is sent, with the hash of what it says. */
function signed(desired: KubeObject): { readonly body: KubeObject; readonly hash: string } {
  const { managedFields: _, resourceVersion: __, ...metadata } = desired.metadata;
  const plain = stripped({ ...desired, metadata });
  const hash = hashOf(plain);
  const annotations = { ...plain.metadata.annotations, [ANNOTATION]: hash };
  return { body: { ...plain, metadata: { ...plain.metadata, annotations } }, hash };
}

const hashOf = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 16);

const annotated = (object: KubeObject): string | undefined => object.metadata.annotations?.[ANNOTATION];

/** Without undefined fields, all the way down. An undefined in a list is a bug, which canonical JSON refuses. */
function stripped<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => stripped(item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const given = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(given.map(([name, part]) => [name, stripped<unknown>(part)])) as T;
}

/** What is asked for, and by whom. */
interface Wanted {
  readonly subresource: string;
  readonly manager: string;
  readonly hash: string;
}

function isApplied(
  current: KubeObject,
  body: KubeObject,
  wanted: Wanted,
  sameValues: (fields: string) => boolean,
): boolean {
  const last = answers.get(placeIn(current, wanted));
  // A copy as old as it was when we wrote says nothing about what we wrote.
  if (last?.before !== undefined && last.before === current.metadata.resourceVersion)
    return last.hash === wanted.hash;
  const fields = appliedFields(current, wanted.manager, wanted.subresource);
  if (fields === undefined) return false;
  if (ownsExactly(fields, body) && sameValues(fields)) return true;
  return last?.hash === wanted.hash && last.fieldsHash === hashOf(fields);
}

/** The last apply of an object. */
interface Answer {
  readonly hash: string;
  /** The version of the copy that we had then. */
  readonly before: string | undefined;
  /** What the server noted as ours: where that is not what we sent, sending it again is no use. */
  readonly fieldsHash: string;
}

const answers = new Map<string, Answer>();
const ANSWERS_MAX = 10_000;

const placeIn = ({ metadata }: KubeObject, { manager, subresource }: Wanted): string =>
  `${metadata.uid ?? ''} ${manager} ${subresource}`;

function remember(before: KubeObject | undefined, after: KubeObject, wanted: Wanted): void {
  const { hash, manager, subresource } = wanted;
  const place = placeIn(after, wanted);
  answers.delete(place);
  answers.set(place, {
    hash,
    before: before?.metadata.resourceVersion,
    fieldsHash: hashOf(appliedFields(after, manager, subresource) ?? ''),
  });
  const oldest = answers.size > ANSWERS_MAX ? answers.keys().next().value : undefined;
  if (oldest !== undefined) answers.delete(oldest);
}

const sameVersion = (before: KubeObject | undefined, after: KubeObject): boolean =>
  before?.metadata.resourceVersion === after.metadata.resourceVersion;
