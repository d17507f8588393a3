/**
 * Metrics, under controller-runtime's names where it has one, so that dashboards made for other operators work.
 *
 * Owns: names, labels and buckets. Invariant: labels are bounded: controllers, results, kinds, and per function of what is
 * declared; never an instance, a plan or a key.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { ControllerHooks, ReconcileReport } from '../kube/controller.ts';
import type { RequestReport } from '../kube/transport.ts';
import type { QueueState } from '../kube/workqueue.ts';

/** Seconds. */
const RECONCILE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const QUEUE_BUCKETS = [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000];

const RESULTS = {
  settled: 'success',
  again: 'requeue_after',
  error: 'error',
  terminal: 'error',
  timeout: 'error',
};

/** As much of what an instance has seen as is counted here. */
export interface SeenCalls {
  readonly namespace: string;
  readonly workflow: string;
  readonly functions: readonly {
    readonly function: string;
    readonly artifact: string;
    readonly executions: number;
    readonly failures: number;
    readonly runMs: { readonly sumMs: number };
    readonly cpuMs?: number;
    readonly queuedMs?: number;
  }[];
  readonly edges: readonly { readonly channel: string; readonly calls: number; readonly failures: number }[];
  readonly entries?: readonly {
    readonly function: string;
    readonly call: string;
    readonly calls: number;
    readonly failures: number;
    readonly fellBack: number;
    readonly latencyMs: { readonly sumMs: number };
  }[];
}

export class Metrics {
  readonly registry = new Registry();
  readonly #reconciles = this.#counter('controller_runtime_reconcile_total', 'Reconciles by result.', [
    'controller',
    'result',
  ]);
  readonly #errors = this.#counter('controller_runtime_reconcile_errors_total', 'Reconciles that failed.', [
    'controller',
  ]);
  readonly #terminal = this.#counter(
    'controller_runtime_terminal_reconcile_errors_total',
    'Reconciles that failed and are not tried again.',
    ['controller'],
  );
  readonly #timeouts = this.#counter(
    'controller_runtime_reconcile_timeouts_total',
    'Reconciles that took too long.',
    ['controller'],
  );
  readonly #reconcileSeconds = this.#histogram(
    'controller_runtime_reconcile_time_seconds',
    'How long a reconcile takes.',
    ['controller'],
    RECONCILE_BUCKETS,
  );
  readonly #active = this.#gauge('controller_runtime_active_workers', 'Reconciles under way.', [
    'controller',
  ]);
  readonly #adds = this.#counter('workqueue_adds_total', 'Keys that were added.', ['name']);
  readonly #retries = this.#counter('workqueue_retries_total', 'Keys that were added after a failure.', [
    'name',
  ]);
  readonly #waited = this.#histogram(
    'workqueue_queue_duration_seconds',
    'How long a key waits.',
    ['name'],
    QUEUE_BUCKETS,
  );
  readonly #worked = this.#histogram(
    'workqueue_work_duration_seconds',
    'How long a key is worked on.',
    ['name'],
    QUEUE_BUCKETS,
  );
  readonly #requests = this.#counter('rest_client_requests_total', 'Requests to the API server.', [
    'code',
    'method',
  ]);
  readonly #requestSeconds = this.#histogram(
    'rest_client_request_duration_seconds',
    'How long a request to the API server takes.',
    ['verb'],
    RECONCILE_BUCKETS,
  );
  readonly #throttled = this.#histogram(
    'rest_client_rate_limiter_duration_seconds',
    'How long a request waits for our own limit.',
    ['verb'],
    RECONCILE_BUCKETS,
  );
  readonly #leader = this.#gauge('leader_election_master_status', 'Whether this replica leads.', ['name']);
  readonly #plans = this.#histogram('sinter_plan_seconds', 'How long a plan takes.', [], RECONCILE_BUCKETS);
  readonly #rollouts = this.#counter('sinter_rollout_changes_total', 'Steps of roll-outs, by what changed.', [
    'change',
  ]);
  readonly #executions = this.#counter(
    'sinter_function_executions_total',
    'Executions, as instances saw them.',
    ['namespace', 'workflow', 'function', 'artifact', 'result'],
  );
  readonly #calls = this.#counter('sinter_calls_total', 'Calls along edges, as instances saw them.', [
    'namespace',
    'workflow',
    'channel',
    'result',
  ]);
  readonly #seconds = this.#counter(
    'sinter_function_seconds_total',
    'Time of executions: run, of which cpu was used, and queued before.',
    ['namespace', 'workflow', 'function', 'artifact', 'of'],
  );
  readonly #roots = this.#counter(
    'sinter_root_calls_total',
    'Calls at entries, as gateways and hosts saw them; fallback: found no instance of a candidate plan, and ran under the current.',
    ['namespace', 'workflow', 'function', 'call', 'result'],
  );
  readonly #rootSeconds = this.#counter(
    'sinter_root_seconds_total',
    'Latency of calls at entries that succeeded, summed.',
    ['namespace', 'workflow', 'function', 'call'],
  );
  readonly #trouble = this.#counter('sinter_watch_trouble_total', 'Watches that broke and went on.', [
    'kind',
  ]);

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** For one controller; `state` is read when metrics are. */
  controller(name: string, state: () => QueueState): ControllerHooks {
    this.#queueGauges(name, state);
    const controller = { controller: name };
    return {
      queue: {
        added: () => {
          this.#adds.inc({ name });
        },
        retried: () => {
          this.#retries.inc({ name });
        },
        waited: (ms) => {
          this.#waited.observe({ name }, ms / 1000);
        },
        worked: (ms) => {
          this.#worked.observe({ name }, ms / 1000);
        },
      },
      started: () => {
        this.#active.inc(controller);
      },
      finished: (report) => {
        this.#active.dec(controller);
        this.#reconciled(report);
      },
    };
  }

  request({ verb, status, durationMs, throttledMs }: RequestReport): void {
    this.#requests.inc({ code: status === 0 ? '<error>' : String(status), method: verb });
    this.#requestSeconds.observe({ verb }, durationMs / 1000);
    if (throttledMs > 0) this.#throttled.observe({ verb }, throttledMs / 1000);
  }

  leading(name: string, leads: boolean): void {
    this.#leader.set({ name }, leads ? 1 : 0);
  }

  planned(durationMs: number): void {
    this.#plans.observe(durationMs / 1000);
  }

  rolledOut(change: string): void {
    this.#rollouts.inc({ change });
  }

  watchTrouble(kind: string): void {
    this.#trouble.inc({ kind });
  }

  /** `known`: is this function, with this artifact, declared? What an instance makes up is not counted. */
  seen(
    { namespace, workflow, functions, edges, entries = [] }: SeenCalls,
    known: (fn: string, artifact?: string) => boolean,
  ): void {
    const of = { namespace, workflow };
    for (const f of functions.filter((one) => known(one.function, one.artifact))) {
      const labels = { ...of, function: f.function, artifact: f.artifact };
      this.#executions.inc({ ...labels, result: 'success' }, Math.max(0, f.executions - f.failures));
      this.#executions.inc({ ...labels, result: 'error' }, f.failures);
      const times = { run: f.runMs.sumMs, cpu: f.cpuMs, queued: f.queuedMs };
      for (const [name, ms] of Object.entries(times))
        if (ms !== undefined) this.#seconds.inc({ ...labels, of: name }, ms / 1000);
    }
    for (const e of entries.filter((one) => known(one.function))) {
      const labels = { ...of, function: e.function, call: e.call };
      this.#roots.inc({ ...labels, result: 'success' }, Math.max(0, e.calls - e.failures));
      this.#roots.inc({ ...labels, result: 'error' }, e.failures);
      this.#roots.inc({ ...labels, result: 'fallback' }, e.fellBack);
      this.#rootSeconds.inc(labels, e.latencyMs.sumMs / 1000);
    }
    for (const { channel, calls, failures } of edges) {
      this.#calls.inc({ ...of, channel, result: 'success' }, Math.max(0, calls - failures));
      this.#calls.inc({ ...of, channel, result: 'error' }, failures);
    }
  }

  /** What belongs to a workflow that is gone is not told any more. */
  forget(namespace: string, workflow: string): void {
    const metrics = [this.#executions, this.#calls, this.#seconds, this.#roots, this.#rootSeconds];
    for (const metric of metrics) removeOf(metric, { namespace, workflow });
  }

  #reconciled({ controller, outcome, durationMs }: ReconcileReport): void {
    this.#reconciles.inc({ controller, result: RESULTS[outcome] });
    this.#reconcileSeconds.observe({ controller }, durationMs / 1000);
    if (RESULTS[outcome] === 'error') this.#errors.inc({ controller });
    if (outcome === 'terminal') this.#terminal.inc({ controller });
    if (outcome === 'timeout') this.#timeouts.inc({ controller });
  }

  readonly #states = new Map<string, () => QueueState>();

  #queueGauges(name: string, state: () => QueueState): void {
    this.#states.set(name, state);
    if (this.#states.size > 1) return;
    const of = (metric: string, help: string, value: (s: QueueState) => number): void => {
      const states = this.#states;
      new Gauge({
        name: metric,
        help,
        labelNames: ['name'],
        registers: [this.registry],
        collect() {
          for (const [queue, read] of states) this.set({ name: queue }, value(read()));
        },
      });
    };
    of('workqueue_depth', 'Keys that wait.', (s) => s.depth);
    of('workqueue_unfinished_work_seconds', 'Time in work, summed.', (s) => s.unfinishedMs / 1000);
    of(
      'workqueue_longest_running_processor_seconds',
      'Longest time in work.',
      (s) => s.longestRunningMs / 1000,
    );
  }

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  #gauge(name: string, help: string, labelNames: readonly string[]): Gauge {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  #histogram(name: string, help: string, labelNames: readonly string[], buckets: number[]): Histogram {
    return new Histogram({ name, help, labelNames: [...labelNames], buckets, registers: [this.registry] });
  }
}

function removeOf(metric: Counter, of: Readonly<Record<string, string>>): void {
  void metric.get().then(({ values }) => {
    for (const { labels } of values) {
      const given = labels as Readonly<Record<string, string | number>>;
      if (Object.entries(of).every(([name, value]) => given[name] === value)) metric.remove(given);
    }
  });
}
