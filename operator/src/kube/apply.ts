/**
 * Server-side apply that writes nothing where nothing would change.
 */
import type { KubeClient } from './client.ts';
import type { Kind, KubeObject } from './objects.ts';

export interface Applied<T> {
  readonly what: 'created' | 'changed' | 'unchanged';
  /** As the server has it now; for `unchanged` the one from the store. */
  readonly object: T;
}

export interface ApplyRequest<T extends KubeObject> {
  readonly client: KubeClient;
  readonly kind: Kind<T>;
  /** Only the fields that this manager owns. Undefined fields are left out; what was applied before and is not in it is removed. */
  readonly desired: KubeObject;
  /** As the store shows it (an informer that keeps the fields of this manager); undefined: there is none, or unknown. */
  readonly current: T | undefined;
  readonly manager: string;
  readonly signal: AbortSignal;
}

export declare function applyObject<T extends KubeObject>(request: ApplyRequest<T>): Promise<Applied<T>>;

export interface ApplyStatusRequest<T extends KubeObject> {
  readonly client: KubeClient;
  readonly kind: Kind<T>;
  readonly current: T;
  /** The part of the status that this manager owns. */
  readonly status: object;
  readonly manager: string;
  readonly signal: AbortSignal;
}

/** Never creates; a Conflict when the object was made anew under its name meanwhile. */
export declare function applyStatus<T extends KubeObject>(
  request: ApplyStatusRequest<T>,
): Promise<Applied<T>>;
