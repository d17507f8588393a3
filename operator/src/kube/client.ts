/**
 * Requests to an API server: typed get, list, create, apply, patch, replace, delete, and the raw stream of a watch.
 *
 * Owns: paths, query parameters and content types of each verb, and the right to write. Neighbours: `transport.ts` sends,
 * retries and reads answers; `watcher.ts` knows what a stream means; `apply.ts` what need not be written.
 * Invariant: a client `under` a signal writes nothing once that signal has aborted (a lost lease).
 */
import { isNotFound } from './errors.ts';
import { keyOf, pathOf } from './objects.ts';
import type { Kind, KubeObject, Place } from './objects.ts';
import { transport, JSON_TYPE } from './transport.ts';
import type { ClientOptions, RawRequest, Reply, RequestOptions, Transport } from './transport.ts';

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
  /** Resolves when the server has accepted: the lines of a watch as they come, until the server ends them. */
  watch(kind: Kind, options: WatchOptions): Promise<AsyncIterable<string>>;
  /**
   * The same client, but no write leaves once the signal has aborted or `holds` says no (WritesForbidden), and those under
   * way end. `holds` is asked at each write: a process that was stopped for a while may write before its timers fire.
   */
  under(signal: AbortSignal, holds?: () => boolean): KubeClient;
  /** Closes idle connections. */
  close(): void;
}

export interface Written<T> {
  readonly object: T;
  /** The server had no such object before (201). */
  readonly created: boolean;
}

export function kubeClient(options: ClientOptions): KubeClient {
  return new Client(transport(options));
}

const PAGE = 500;
const AS_METADATA = `${JSON_TYPE};as=PartialObjectMetadata;v=v1;g=meta.k8s.io,${JSON_TYPE}`;
const AS_METADATA_LIST = `${JSON_TYPE};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,${JSON_TYPE}`;

/** The right to write, while it lasts. */
interface Fence {
  readonly signal: AbortSignal;
  holds(): boolean;
}

class Client implements KubeClient {
  readonly #transport: Transport;
  readonly #fence: Fence | undefined;

  constructor(transport: Transport, fence?: Fence) {
    this.#transport = transport;
    this.#fence = fence;
  }

  async get<T extends KubeObject>(kind: Kind<T>, at: Place, options: RequestOptions = {}): Promise<T> {
    const path = pathOf(kind, at.namespace, at.name);
    return (await this.#ask<T>({ method: 'GET', path, ...options }, kind)).body;
  }

  async find<T extends KubeObject>(
    kind: Kind<T>,
    at: Place,
    options?: RequestOptions,
  ): Promise<T | undefined> {
    try {
      return await this.get(kind, at, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(
    kind: Kind<T>,
    options: Selection & RequestOptions = {},
  ): Promise<List<T>> {
    const first = await this.page(kind, options);
    const items = [...first.items];
    let next = first.continue;
    while (next !== undefined) {
      const page: Page<T> = await this.page(kind, { ...options, continue: next });
      items.push(...page.items);
      next = page.continue;
    }
    return { items, resourceVersion: first.resourceVersion };
  }

  async page<T extends KubeObject>(kind: Kind<T>, options: PageOptions = {}): Promise<Page<T>> {
    const { limit = PAGE, metadataOnly = false, signal, timeoutMs } = options;
    const query = { ...selection(options), ...(limit > 0 && { limit }), continue: options.continue };
    const accept = metadataOnly ? AS_METADATA_LIST : JSON_TYPE;
    const path = pathOf(kind, options.namespace);
    const asked = {
      method: 'GET' as const,
      path,
      query,
      accept,
      signal,
      ...(timeoutMs !== undefined && { timeoutMs }),
    };
    const { body } = await this.#ask<RawList<T>>(asked, kind);
    const { resourceVersion = '', continue: next = '' } = body.metadata ?? {};
    // What lies in a list carries no type of its own; with metadataOnly it would carry that of the excerpt.
    const items = (body.items ?? []).map((item) => ({
      ...item,
      apiVersion: kind.apiVersion,
      kind: kind.kind,
    }));
    return { items, resourceVersion, continue: next === '' ? undefined : next };
  }

  async create<T extends KubeObject>(kind: Kind<T>, object: T, options: WriteOptions): Promise<T> {
    const path = pathOf(kind, object.metadata.namespace);
    return (await this.#ask<T>({ method: 'POST', path, body: object, ...written(options) }, kind)).body;
  }

  async replace<T extends KubeObject>(kind: Kind<T>, object: T, options: WriteOptions): Promise<T> {
    const path = pathOf(kind, object.metadata.namespace, object.metadata.name);
    return (await this.#ask<T>({ method: 'PUT', path, body: object, ...written(options) }, kind)).body;
  }

  async apply<T extends KubeObject>(
    kind: Kind<T>,
    object: KubeObject,
    options: ApplyOptions,
  ): Promise<Written<T>> {
    const { namespace, name } = object.metadata;
    const { query, ...rest } = written(options);
    const { status, body } = await this.#ask<T>(
      {
        method: 'PATCH',
        path: pathOf(kind, namespace, name, options.subresource),
        // JSON is YAML.
        contentType: 'application/apply-patch+yaml',
        query: { ...query, force: options.force ?? true },
        body: object,
        ...rest,
      },
      kind,
      true,
    );
    return { object: body, created: status === 201 };
  }

  async merge<T extends KubeObject>(
    kind: Kind<T>,
    at: Place,
    patch: object,
    options: WriteOptions & { readonly subresource?: string },
  ): Promise<T> {
    const path = pathOf(kind, at.namespace, at.name, options.subresource);
    const contentType = 'application/merge-patch+json';
    return (
      await this.#ask<T>({ method: 'PATCH', path, contentType, body: patch, ...written(options) }, kind)
    ).body;
  }

  async delete(kind: Kind, at: Place, options: DeleteOptions = {}): Promise<boolean> {
    const {
      uid,
      resourceVersion,
      propagationPolicy = 'Background',
      gracePeriodSeconds,
      signal,
      timeoutMs,
    } = options;
    const preconditions = { uid, resourceVersion };
    const body = {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      preconditions,
      propagationPolicy,
      gracePeriodSeconds,
    };
    const path = pathOf(kind, at.namespace, at.name);
    try {
      await this.#ask(
        { method: 'DELETE', path, body, signal, ...(timeoutMs !== undefined && { timeoutMs }) },
        kind,
      );
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async request<R>(request: RawRequest): Promise<R> {
    return (await this.#ask<R>(request, undefined)).body;
  }

  async watch(kind: Kind, options: WatchOptions): Promise<AsyncIterable<string>> {
    const { resourceVersion, timeoutSeconds, metadataOnly = false, signal } = options;
    const query = {
      ...selection(options),
      watch: 1,
      allowWatchBookmarks: true,
      resourceVersion,
      timeoutSeconds,
    };
    const accept = metadataOnly ? AS_METADATA : JSON_TYPE;
    const stream = await this.#transport.open(
      { method: 'GET', path: pathOf(kind, options.namespace), query, accept, signal },
      kind.plural,
    );
    return stream.lines();
  }

  under(signal: AbortSignal, holds: () => boolean = () => true): KubeClient {
    return new Client(this.#transport, { signal, holds });
  }

  close(): void {
    this.#transport.close();
  }

  async #ask<R>(request: RawRequest, kind: Kind | undefined, repeatable = false): Promise<Reply<R>> {
    const resource = kind?.plural ?? '';
    if (request.method === 'GET') return this.#transport.ask<R>(request, resource, true);
    const fence = this.#fence;
    if (fence === undefined) return this.#transport.ask<R>(request, resource, repeatable);
    const both = joined(request.signal, fence.signal);
    try {
      const allowed = (): boolean => !fence.signal.aborted && fence.holds();
      return await this.#transport.ask<R>({ ...request, signal: both.signal }, resource, repeatable, allowed);
    } finally {
      both.release();
    }
  }
}

interface RawList<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[];
}

const selection = ({ labelSelector, fieldSelector }: Selection): RawRequest['query'] => ({
  labelSelector,
  fieldSelector,
});

function written(options: WriteOptions): RequestOptions & Pick<RawRequest, 'query'> {
  const { fieldManager, dryRun = false, signal, timeoutMs } = options;
  const query = { fieldManager, ...(dryRun && { dryRun: 'All' }) };
  return { query, signal, ...(timeoutMs !== undefined && { timeoutMs }) };
}

/** A signal that aborts with either; `release` takes the listeners off long-lived ones. */
function joined(
  one: AbortSignal | undefined,
  other: AbortSignal,
): { signal: AbortSignal; release: () => void } {
  const both = new AbortController();
  const signals = one === undefined ? [other] : [one, other];
  const ends = signals.map((signal) => {
    const end = (): void => both.abort(signal.reason);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    return () => signal.removeEventListener('abort', end);
  });
  return { signal: both.signal, release: () => ends.forEach((end) => end()) };
}

/** What is being written, for messages. */
export const nameOfObject = (object: KubeObject): string => `${object.kind} ${keyOf(object.metadata)}`;
