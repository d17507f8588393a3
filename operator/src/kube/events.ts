/**
 * Events for people (`kubectl describe`, `kubectl events`).
 */
import type { Clock } from './clock.ts';
import type { KubeClient } from './client.ts';
import type { KubeObject } from './objects.ts';
import type { Throttle } from './throttle.ts';

export interface RecorderOptions {
  readonly client: KubeClient;
  /** e.g. `sinter.dev/workflow`. */
  readonly controller: string;
  /** e.g. the pod's name. */
  readonly instance: string;
  /** For objects without a namespace; default `default`. */
  readonly clusterNamespace?: string;
  readonly clock?: Clock;
  readonly throttle?: Throttle;
  readonly trouble?: (error: unknown) => void;
}

export interface EventOf {
  readonly regarding: KubeObject;
  readonly related?: KubeObject;
  /** Warning only for what was not expected. */
  readonly type: 'Normal' | 'Warning';
  /** Why, in CamelCase. */
  readonly reason: string;
  /** What the controller did or tried, in CamelCase, e.g. `Plan`, `Apply`. */
  readonly action: string;
  /** For people; at most 1 KiB is kept. */
  readonly note: string;
}

/** Never blocks and never fails a reconcile: what cannot be told is counted in `dropped`. */
export interface Recorder {
  record(event: EventOf): void;
  readonly dropped: number;
  /** Sends what waits. */
  flush(signal?: AbortSignal): Promise<void>;
}

export declare function recorder(options: RecorderOptions): Recorder;
