/**
 * The route of a workflow: what every process needs to know of the plans that are live (D3).
 *
 * One writer (the operator, or `sinter run`), many readers. It is kept in the bucket of routes and announced by the
 * bucket's own subject. Owns the record's form; what stands in it is the operator's decision.
 */
import type { ErrorCode } from './errors.ts';
import type { WorkflowKey } from './names.ts';

export interface RouteRecord extends WorkflowKey {
  /** Contract version of the writer. */
  readonly version: number;
  /** Raised by the writer with every change: readers ignore what is older than what they have. */
  readonly generation: number;
  /** Hash of the revision that entries use; empty: nothing is deployed yet. */
  readonly current: string;
  readonly candidate?: string;
  /** Share of entries' calls, in percent, that go to the candidate. */
  readonly weightPercent?: number;
  /** Replaced revisions that are still fully served, until no root call runs under them. */
  readonly draining: readonly string[];
  readonly revisions: Readonly<Record<string, RouteRevision>>;
}

export interface RouteRevision {
  readonly units: readonly RouteUnit[];
  readonly edges: readonly RouteEdge[];
}

export interface RouteUnit {
  readonly name: string;
  readonly functions: readonly RouteFunction[];
}

/** How one function runs within its unit. */
export interface RouteFunction {
  readonly name: string;
  /** Listens on the bus: it has a trigger, an exposure, or a caller in another unit. */
  readonly served: boolean;
  /** Has a stream of async work. */
  readonly async: boolean;
  /** Calls at once in one instance. */
  readonly concurrency: number;
  readonly timeoutSeconds: number;
  /** Memory limit of the function's own thread or instance, in bytes. */
  readonly memoryBytes: number;
  /** One for each architecture that the unit runs on. */
  readonly artifacts: readonly RouteArtifact[];
}

export interface RouteArtifact {
  readonly architecture: string;
  /** The artifact's name in the Function. */
  readonly name: string;
  readonly type: 'JavaScript' | 'Wasm';
  readonly isolation: 'Worker' | 'Shared';
  /**
   * Its code, in the namespace's bucket of modules, under this sha256 (hex). Where `image` is set there is none: then the
   * image's reference stands here, which a host that does not know `image` refuses by name.
   */
  readonly sha256: string;
  /** Its code is a file of this image, which the host pulls itself (D18). */
  readonly image?: RouteImage;
}

export interface RouteImage {
  /** `<registry>/<repository>@sha256:<digest>` */
  readonly reference: string;
  /** Of the file in the image. */
  readonly path: string;
}

export interface RetryTerms {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  readonly on: readonly ErrorCode[];
  readonly backoffSeconds: number;
  readonly maxBackoffSeconds: number;
}

export interface RouteEdge {
  readonly from: string;
  readonly to: string;
  readonly call: 'Sync' | 'Async';
  readonly timeoutSeconds?: number;
  readonly retry?: RetryTerms;
  readonly durability?: 'AtLeastOnce' | 'LocalFirst' | 'BestEffort';
}

/** What only the gateway reads of a workflow, under `entryKey`. */
export interface EntryRecord extends WorkflowKey {
  readonly version: number;
  /** Triggers: only the declared paths. All: every function at /call/<namespace>/<workflow>/<function> too. */
  readonly expose: 'Triggers' | 'All';
  readonly suspended: boolean;
  readonly functions: readonly string[];
  readonly triggers: readonly EntryTrigger[];
}

export interface EntryTrigger {
  readonly name: string;
  readonly to: string;
  readonly type: 'Http';
  readonly hosts: readonly string[];
  readonly path: string;
  readonly methods: readonly string[];
  readonly auth: EntryAuth;
}

/** Who may come in. A reader shuts what it has no word for: a type that is added later opens no door of an older gateway. */
export type EntryAuth =
  | { readonly type: 'None' }
  | { readonly type: 'Key'; readonly sha256: readonly string[] }
  /** A signed token of the issuer, for one of the audiences. */
  | { readonly type: 'Jwt'; readonly issuer: string; readonly audiences: readonly string[] };

/** State of an entry's async call, in the bucket of calls. */
export interface CallRecord {
  readonly callId: string;
  readonly function: string;
  readonly state: 'Accepted' | 'Running' | 'Succeeded' | 'Failed';
  readonly attempts: number;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
  /** The result's content type; the result itself is base64 where it is bytes, text where it is text or JSON. */
  readonly contentType?: string;
  readonly result?: string;
  /** The result does not fit into the bucket: it was not kept. */
  readonly resultTooLarge?: boolean;
  readonly acceptedAt: string;
  readonly finishedAt?: string;
}
