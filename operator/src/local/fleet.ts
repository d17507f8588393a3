/**
 * The instances of one unit on this machine: started, watched, started again, renewed, ended.
 *
 * Owns: child processes of a unit and its credential. `deployment.ts` decides that a unit runs.
 * Invariants:
 *  1. An instance that ends unasked is started again under a new name, sooner at first than after many failures.
 *  2. After `stop` none runs and none is started.
 */
import { environmentVariable, newId } from '@sinter/contract';
import type { InstanceKey, UnitScope } from '@sinter/contract';
import type { Credential, NewCredential } from '../bus/credentials.ts';
import { HOST_BUNDLE } from './bundles.ts';
import { Child } from './child.ts';
import type { LogRecord } from './run.ts';
import { giveShare } from './share.ts';

/** One of the machines of a run. */
export interface Place {
  readonly machine: string;
  readonly architecture: string;
  /** Nearest first. */
  readonly servers: readonly string[];
}

export interface FleetOptions {
  readonly scope: UnitScope;
  readonly credential: NewCredential;
  /** File of the host that runs it; the one that was built with this operator where it is not given. */
  readonly bundle?: string;
  /** What each instance requests of a machine, in thousandths of a core. */
  readonly cpuMillis: number;
  /** One for each instance. */
  readonly places: readonly Place[];
  /** Environment of each function. */
  readonly environments: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What the host itself is given. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly onLog: (line: LogRecord) => void;
  readonly onGone: (instance: InstanceKey) => void;
}

interface Instance {
  readonly key: InstanceKey;
  readonly child: Child;
  readonly startedAtMs: number;
}

const RESTART_MS = 100;
const RESTART_LIMIT_MS = 10_000;
const HEALTHY_MS = 30_000;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #running = new Map<number, Instance>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #credential: Credential;
  #stopped = false;
  /** Ends since the last healthy instance. */
  #failures = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#credential = options.credential;
  }

  get scope(): UnitScope {
    return this.#options.scope;
  }

  get publicKey(): string {
    return this.#options.credential.publicKey;
  }

  get instances(): readonly InstanceKey[] {
    return [...this.#running.values()].map((i) => i.key);
  }

  get size(): number {
    return this.#options.places.length;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Process ids, for who wants to look or to kill. */
  get pids(): readonly number[] {
    return [...this.#running.values()].flatMap((i) => i.child.pid ?? []);
  }

  start(): void {
    this.#options.places.forEach((_, slot) => {
      this.#startOne(slot);
    });
  }

  /** Instances started from now on use this credential; those that run are told over the bus. */
  renew(credential: Credential): void {
    this.#credential = credential;
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all([...this.#running.values()].map((i) => i.child.stop(graceMs)));
  }

  #startOne(slot: number): void {
    const place = this.#options.places[slot];
    if (!place || this.#stopped) return;
    const { scope, environments, bundle, onLog } = this.#options;
    const { namespace, workflow, unit } = scope;
    const key: InstanceKey = { namespace, workflow, unit, instance: newId(10) };
    const child = new Child({
      bundle: bundle ?? HOST_BUNDLE,
      bootstrap: {
        servers: place.servers,
        credential: this.#credential,
        machine: place.machine,
        architecture: place.architecture,
        instance: key.instance,
        unit: { namespace, workflow, unit },
        functions: scope.functions,
      },
      env: { ...this.#options.variables, ...variables(environments) },
      onLine: (line) => {
        onLog(logRecord(unit, line));
      },
    });
    this.#running.set(slot, { key, child, startedAtMs: performance.now() });
    if (child.pid !== undefined) void giveShare(child.pid, this.#options.cpuMillis);
    void child.exited.then(({ code, signal }) => {
      this.#ended(slot, `ended with ${String(signal ?? code)}`);
    });
  }

  #ended(slot: number, how: string): void {
    const instance = this.#running.get(slot);
    if (!instance) return;
    this.#running.delete(slot);
    this.#options.onGone(instance.key);
    if (this.#stopped) return;
    const healthy = performance.now() - instance.startedAtMs > HEALTHY_MS;
    this.#failures = healthy ? 1 : this.#failures + 1;
    const pauseMs = Math.min(RESTART_LIMIT_MS, RESTART_MS * 2 ** Math.min(this.#failures - 1, 10));
    const message = `instance ${instance.key.instance} ${how}: started again in ${String(pauseMs)} ms`;
    this.#options.onLog({ level: 'warn', source: this.#options.scope.unit, message });
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#startOne(slot);
    }, pauseMs);
    this.#timers.add(timer);
  }
}

const variables = (
  environments: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(environments).flatMap(([fn, values]) =>
      Object.entries(values).map(([name, value]) => [environmentVariable(fn, name), value] as const),
    ),
  );

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** A child's line of JSON as a record of the run. */
export function logRecord(source: string, line: Readonly<Record<string, unknown>>): LogRecord {
  const level = LEVELS.find((l) => l === line.level) ?? 'info';
  const message = typeof line.message === 'string' ? line.message : JSON.stringify(line);
  return {
    level,
    source,
    message,
    ...(typeof line.function === 'string' ? { function: line.function } : {}),
  };
}
