/**
 * The controller of Functions: whether each can be followed, who uses it, and what runs it.
 *
 * Owns: the status of a Function. It starts nothing: Functions run as part of Workflows. What is not known (yet) of what runs
 * stays as it was reported.
 */
import type { FunctionObject } from '@sinter/crds';
import { check } from '../model/check.ts';
import { configMapsOf } from '../model/configMaps.ts';
import type { Finding } from '../model/finding.ts';
import { moduleSourceOf } from '../model/modules.ts';
import { functionNameOf } from '../model/nouns.ts';
import { notYet } from '../model/notYet.ts';
import { canonicalJson } from '../model/canonical.ts';
import { UNIT_LABEL } from '../resources/labels.ts';
import { applyStatus } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { again, settled } from '../kube/controller.ts';
import type { Result } from '../kube/controller.ts';
import { isNotFound } from '../kube/errors.ts';
import { keyOf } from '../kube/objects.ts';
import {
  conditionsOf,
  errorsOf,
  fieldsOf,
  findingsMessage,
  notYetFacts,
  storedConditions,
} from './conditions.ts';
import type { Fact } from './conditions.ts';
import type { Contents } from './contents.ts';
import { declaredOf, reading } from './declared.ts';
import { MANAGER, SINTER } from './kinds.ts';
import type { StoredObject } from './kinds.ts';
import type { Running, RunningUnit } from './running.ts';
import type { Stores } from './stores.ts';

export interface FunctionOptions {
  readonly client: KubeClient;
  readonly stores: Stores;
  readonly contents: Contents;
  readonly running: Running;
  /** RFC 3339, in whole seconds. */
  readonly date: () => string;
}

/** What was found of one, with what it was found from. */
interface Judged {
  readonly from: string;
  readonly findings: readonly Finding[];
}

/** What runs a Function; undefined: not known yet. */
type Runs = { readonly units: readonly RunningUnit[] } | undefined;

const FUNCTION = { kind: 'Function' };
const TEXT_MAX = 512;
const SELECTOR_MAX = 1024;
/** The Workflow controller looks at every user once, and tells; what is not known by then is reported as such. */
const UNKNOWN_MS = 2_000;

export class FunctionReconciler {
  readonly #options: FunctionOptions;
  readonly #judged = new Map<string, Judged>();
  /** Those whose users were waited for once. */
  readonly #waited = new Set<string>();
  /** Functions by the ConfigMaps that they read. */
  readonly #readers = new Map<string, Set<string>>();

  constructor(options: FunctionOptions) {
    this.#options = options;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const { client, stores, date } = this.#options;
    const stored = stores.functions.get(key);
    if (!stored || stored.metadata.deletionTimestamp !== undefined) {
      this.#judged.delete(key);
      this.#waited.delete(key);
      this.#readsOnly(key, new Set());
      return settled;
    }
    const users = stores.workflows.by('function', key);
    const read = reading('Function', stored);
    const findings = read.ok ? await this.#judge(key, stored, users, signal) : read.findings;
    const runs = this.#runs(stored, users);
    if (!runs && !this.#waited.has(key)) {
      this.#waited.add(key);
      return again(UNKNOWN_MS);
    }
    const status = functionStatus({
      fn: read.ok ? read.declared.object : undefined,
      stored,
      users: users.map((u) => u.metadata.name).sort(),
      findings,
      runs,
      now: date(),
    });
    try {
      await applyStatus({
        client,
        kind: SINTER.functions,
        current: stored,
        status,
        manager: MANAGER.function,
        signal,
      });
    } catch (cause) {
      if (!isNotFound(cause)) throw cause;
    }
    // What is not known (the bus may be away) wakes it when it is.
    return settled;
  }

  /** Keys of the Functions that read a ConfigMap. */
  readersOf(configMap: string): Iterable<string> {
    return this.#readers.get(configMap) ?? [];
  }

  #readsOnly(fn: string, configMaps: ReadonlySet<string>): void {
    for (const [map, readers] of this.#readers) {
      if (!configMaps.has(map)) readers.delete(fn);
      if (readers.size === 0) this.#readers.delete(map);
    }
    for (const map of configMaps) this.#readers.set(map, (this.#readers.get(map) ?? new Set()).add(fn));
  }

  async #judge(
    key: string,
    stored: StoredObject,
    users: readonly StoredObject[],
    signal: AbortSignal,
  ): Promise<readonly Finding[]> {
    const { contents } = this.#options;
    const functions = declaredOf('Function', [stored]);
    const { namespace, name } = stored.metadata;
    const places = functions
      .flatMap(({ object }) => configMapsOf(object))
      .map((map) => ({ namespace, name: map }));
    this.#readsOnly(key, new Set(places.map(keyOf)));
    const from = canonicalJson([
      ...[stored, ...users].map(({ metadata: m }) => `${String(m.uid)} ${String(m.generation)}`),
      ...places.map((place) => contents.version(place)),
    ]);
    const known = this.#judged.get(key);
    if (known?.from === from) return known.findings;
    const maps = await Promise.all(places.map((place) => contents.get(place, signal)));
    const application = {
      functions,
      workflows: declaredOf('Workflow', users),
      policies: [],
      clusterPolicies: [],
      configMaps: maps.flatMap((map) => map ?? []),
      secrets: [],
      secretsUnknown: true as const,
    };
    const findings = [...check(application), ...notYet(application)].filter(
      ({ object }) => object.kind === 'Function' && object.name === name,
    );
    this.#judged.set(key, { from, findings });
    return findings;
  }

  #runs(stored: StoredObject, users: readonly StoredObject[]): Runs {
    const units: RunningUnit[] = [];
    for (const user of users) {
      const runs = this.#options.running.get(keyOf(user.metadata));
      if (!runs) return undefined;
      const vertices = verticesOf(user, stored.metadata.name);
      units.push(...runs.units.filter((u) => u.functions.some((fn) => vertices.has(fn))));
    }
    return { units };
  }
}

/** Under which names a Function stands in a graph. */
function verticesOf(workflow: StoredObject, fn: string): ReadonlySet<string> {
  const read = reading('Workflow', workflow);
  if (!read.ok) return new Set();
  const { functions } = read.declared.object.spec;
  return new Set(functions.filter((vertex) => functionNameOf(vertex) === fn).map((vertex) => vertex.name));
}

interface FunctionFacts {
  readonly fn: FunctionObject | undefined;
  readonly stored: StoredObject;
  readonly users: readonly string[];
  readonly findings: readonly Finding[];
  readonly runs: Runs;
  readonly now: string;
}

export function functionStatus(facts: FunctionFacts): object {
  const { fn, stored, users, findings, runs, now } = facts;
  const generation = stored.metadata.generation ?? 0;
  const before = storedConditions(stored.status);
  const ready: Fact = { type: 'Ready', ...readiness(facts) };
  const stalled: readonly Fact[] =
    errorsOf(findings).length > 0
      ? [{ type: 'Stalled', status: 'True', reason: ready.reason, message: ready.message }]
      : [];
  const all = [ready, ...stalled, ...notYetFacts(findings, FUNCTION)];
  return {
    observedGeneration: generation,
    conditions: conditionsOf(all, before, generation, now),
    ...(fn ? { artifacts: cut(fn.spec.artifacts.map(artifactText).join(', ')) } : {}),
    workflows: cut(users.join(', ')),
    ...(runs ? running(runs.units) : carried(fieldsOf(stored.status))),
  };
}

function readiness({ findings, users, runs, stored }: FunctionFacts): Omit<Fact, 'type'> {
  const errors = errorsOf(findings);
  if (errors[0])
    return { status: 'False', reason: errors[0].reason, message: findingsMessage(errors, FUNCTION) };
  if (users.length === 0)
    return { status: 'True', reason: 'Valid', message: 'no workflow uses it, so nothing runs it' };
  if (!runs) {
    const last = storedConditions(stored.status).find((c) => c.type === 'Ready');
    if (last?.observedGeneration === stored.metadata.generation && last) return last;
    return { status: 'Unknown', reason: 'NotSeen', message: 'what runs it is not known yet' };
  }
  if (runs.units.length === 0)
    return { status: 'False', reason: 'NotDeployed', message: 'no workflow that uses it runs yet' };
  const down = runs.units.filter((u) => u.ready === 0).map((u) => u.name);
  if (down.length > 0)
    return {
      status: 'False',
      reason: 'UnitsStarting',
      message: `no instance is ready of ${cut(down.join(', '))}`,
    };
  return { status: 'True', reason: 'Serving', message: 'an instance of each of its units is ready' };
}

function running(units: readonly RunningUnit[]): object {
  const names = [...new Set(units.map((u) => u.name))].sort();
  const selector = `${UNIT_LABEL} in (${names.join(',')})`;
  return {
    unit: cut(names.join(', ')),
    instances: units.reduce((n, u) => n + u.instances, 0),
    readyInstances: units.reduce((n, u) => n + u.ready, 0),
    ...(names.length === 0 || selector.length > SELECTOR_MAX ? {} : { selector }),
  };
}

function carried(status: Readonly<Record<string, unknown>>): object {
  const fields = ['unit', 'instances', 'readyInstances', 'selector'];
  return Object.fromEntries(
    fields.flatMap((f) => (status[f] === undefined ? [] : [[f, status[f]] as const])),
  );
}

const artifactText = (artifact: FunctionObject['spec']['artifacts'][number]): string => {
  const from = moduleSourceOf(artifact);
  return from === 'Inline' || from === 'ConfigMap' ? artifact.name : `${artifact.name} (${from})`;
};

const cut = (text: string): string => (text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`);
