/**
 * Requests to an API server: typed get, list, create, apply, patch, replace, delete, and the raw stream of a watch.
 *
 * Owns: paths and query parameters, content types, errors, time limits, retries where the server asks for them (429, 503
 * with Retry-After). Neighbours: `connection.ts` knows where the server is and who we are, `throttle.ts` how often we may
 * ask, `watcher.ts` what a stream means.
 * Invariants:
 *  1. Nothing is retried that the server may have done: only what it says it has refused.
 *  2. Every request has a bound in time and ends when its signal aborts.
 *  3. A client `under` a signal writes nothing once that signal has aborted (a lost lease).
 */
import type { Clock } from './clock.ts';
import type { Connection } from './connection.ts';
import type { Kind, KubeObject, MetadataObject, Place } from './objects.ts';
import type { Throttle } from './throttle.ts';

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

export interface Selection {
  /** One namespace; none: all of them. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface WriteOptions extends RequestOptions {
  /** The name under which the server notes who owns which field, e.g. `sinter-workflow`. */
  readonly fieldManager: string;
  readonly dryRun?: boolean;
}

export interface ApplyOptions extends WriteOptions {
  readonly subresource?: 'status';
  /** Take fields from other managers; default true. */
  readonly force?: boolean;
}

export interface DeleteOptions extends RequestOptions {
  /** Only if it still is this object. */
  readonly uid?: string | undefined;
  /** Only if nobody has changed it. */
  readonly resourceVersion?: string | undefined;
  /** What becomes of its children; default Background. */
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly gracePeriodSeconds?: number;
}

export interface List<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** One page of a list. */
export interface Page<T> extends List<T> {
  /** Where to go on; undefined on the last page. */
  readonly continue?: string | undefined;
}

export interface PageOptions extends Selection, RequestOptions {
  readonly limit?: number;
  readonly continue?: string | undefined;
  readonly metadataOnly?: boolean;
}

export interface WatchOptions extends Selection {
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  readonly metadataOnly?: boolean;
  readonly signal: AbortSignal;
}

/** What was asked and how it went: for metrics. `status` 0 is no answer. */
export interface RequestReport {
  readonly verb: string;
  readonly resource: string;
  readonly status: number;
  readonly durationMs: number;
  /** Time spent waiting for our own throttle. */
  readonly throttledMs: number;
}

export interface ClientOptions {
  readonly connection: Connection;
  /** `sinter-operator/<version>`. */
  readonly userAgent: string;
  readonly clock?: Clock;
  readonly throttle?: Throttle;
  readonly onRequest?: (report: RequestReport) => void;
}

/** Anything that no typed method says, e.g. a SelfSubjectAccessReview or `/version`. */
export interface RawRequest extends RequestOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the root, e.g. `/apis/apps/v1/namespaces/a/deployments/b/scale`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
}

/** All methods throw ApiError for a refusal and NoAnswer where there was none. */
export interface KubeClient {
  get<T extends KubeObject>(kind: Kind<T>, at: Place, options?: RequestOptions): Promise<T>;
  /** Like `get`, undefined where there is no such object. */
  find<T extends KubeObject>(kind: Kind<T>, at: Place, options?: RequestOptions): Promise<T | undefined>;
  /** Everything selected, in pages of 500. */
  list<T extends KubeObject>(kind: Kind<T>, options?: Selection & RequestOptions): Promise<List<T>>;
  page<T extends KubeObject>(kind: Kind<T>, options?: PageOptions): Promise<Page<T>>;
  create<T extends KubeObject>(kind: Kind<T>, object: T, options: WriteOptions): Promise<T>;
  /** PUT; with metadata.resourceVersion it is a compare-and-set. */
  replace<T extends KubeObject>(kind: Kind<T>, object: T, options: WriteOptions): Promise<T>;
  /** Server-side apply of exactly the given fields. Callers want `apply.ts`, which leaves out what is there already. */
  apply<T extends KubeObject>(kind: Kind<T>, object: KubeObject, options: ApplyOptions): Promise<Written<T>>;
  /** JSON merge patch (null removes). `subresource`: e.g. `status`, `scale`. */
  merge<T extends KubeObject>(
    kind: Kind<T>,
    at: Place,
    patch: object,
    options: WriteOptions & { readonly subresource?: string },
  ): Promise<T>;
  /** True when there was one to delete. */
  delete(kind: Kind, at: Place, options?: DeleteOptions): Promise<boolean>;
  request<R>(request: RawRequest): Promise<R>;
  /** The lines of a watch, as they come. Ends when the server closes; throws like every request. */
  watch(kind: Kind, options: WatchOptions): AsyncIterable<string>;
  /** The same client, but no write leaves once the signal has aborted: WritesForbidden. */
  under(signal: AbortSignal): KubeClient;
  /** Closes idle connections. */
  close(): void;
}

export interface Written<T> {
  readonly object: T;
  /** The server had no such object before (201). */
  readonly created: boolean;
}

export type Metadata = MetadataObject;

export declare function kubeClient(options: ClientOptions): KubeClient;
