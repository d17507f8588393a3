/**
 * Plans of workflows, made anew only when something that they follow from has changed.
 *
 * Owns: the order look, judge, propose, and the memory of what came out. Neighbours: `scope.ts` says what a plan follows
 * from, `resources/propose.ts` makes it.
 * Invariant: with one fingerprint there is one plan, however often it is asked for.
 */
import type { CurrentPlan } from '../snapshot/snapshot.ts';
import { check, findingsFor } from '../model/check.ts';
import type { Finding } from '../model/finding.ts';
import { isError } from '../model/finding.ts';
import { notYet } from '../model/notYet.ts';
import { namespaceOf } from '../model/nouns.ts';
import type { Application, ConfigMap, WorkflowObject } from '../model/nouns.ts';
import type { Lookup } from '../model/environment.ts';
import { keyOf, placeOf } from '../kube/objects.ts';
import { propose } from '../resources/propose.ts';
import type { NamedProposal, Proposal } from '../resources/propose.ts';
import type { Contents } from './contents.ts';
import { reading } from './declared.ts';
import { hostFindings } from './hosts.ts';
import type { AllowedHosts } from './hosts.ts';
import type { StoredObject } from './kinds.ts';
import { scopeOf } from './scope.ts';
import type { Scope } from './scope.ts';
import type { Stores } from './stores.ts';

/** What came out for one workflow. */
export interface Planned {
  /** Undefined: the object itself is refused. */
  readonly workflow: WorkflowObject | undefined;
  /** On the workflow, its Functions and its policy, and on the plan. */
  readonly findings: readonly Finding[];
  /** Undefined where a finding is an Error. */
  readonly proposal: (Proposal & { readonly named: NamedProposal }) | undefined;
  /** ConfigMaps that environments are made of. */
  readonly configMaps: Lookup<ConfigMap>;
}

export interface ProposalsOptions {
  readonly stores: Stores;
  readonly contents: Contents;
  /** Who may answer where; undefined: everybody everywhere. */
  readonly hosts?: AllowedHosts | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onPlanned?: (workflow: string, durationMs: number) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
}

interface Known {
  readonly fingerprint: string;
  readonly planned: Planned;
}

const NOTHING: Lookup<ConfigMap> = () => undefined;

export class Proposals {
  readonly #options: ProposalsOptions;
  readonly #known = new Map<string, Known>();
  /** Workflows by the ConfigMaps that they read. */
  readonly #readers = new Map<string, Set<string>>();

  constructor(options: ProposalsOptions) {
    this.#options = options;
  }

  /** `current` is what runs: a policy that is off keeps it. */
  async of(stored: StoredObject, current: CurrentPlan | null, signal: AbortSignal): Promise<Planned> {
    const read = reading('Workflow', stored);
    if (!read.ok)
      return { workflow: undefined, findings: read.findings, proposal: undefined, configMaps: NOTHING };
    const key = keyOf(stored.metadata);
    const scope = scopeOf(stored, read.declared, this.#options);
    this.#note(key, scope);
    const fingerprint = `${scope.fingerprint} ${current?.hash ?? ''}`;
    const known = this.#known.get(key);
    if (known?.fingerprint === fingerprint) return known.planned;
    const startMs = this.#options.clock();
    const planned = await this.#plan(scope, current, signal);
    this.#options.onPlanned?.(key, this.#options.clock() - startMs);
    this.#known.set(key, { fingerprint, planned });
    return planned;
  }

  /** Keys of the workflows that read a ConfigMap. */
  readersOf(configMap: string): Iterable<string> {
    return this.#readers.get(configMap) ?? [];
  }

  forget(workflow: string): void {
    this.#known.delete(workflow);
    for (const readers of this.#readers.values()) readers.delete(workflow);
  }

  #note(workflow: string, { configMaps }: Scope): void {
    const keys = new Set(configMaps.map(keyOf));
    for (const [map, readers] of this.#readers) {
      if (!keys.has(map)) readers.delete(workflow);
      if (readers.size === 0) this.#readers.delete(map);
    }
    for (const map of keys) this.#readers.set(map, (this.#readers.get(map) ?? new Set()).add(workflow));
  }

  async #plan(scope: Scope, current: CurrentPlan | null, signal: AbortSignal): Promise<Planned> {
    const { workflow, machines } = scope;
    const configMaps = await Promise.all(
      scope.configMaps.map((place) => this.#options.contents.get(place, signal)),
    );
    const application = applicationOf(
      scope,
      configMaps.flatMap((map) => map ?? []),
    );
    const name = { namespace: namespaceOf(workflow.object), workflow: workflow.object.metadata.name };
    const judged = findingsFor([...check(application), ...notYet(application)], name, application);
    const proposal = propose({
      application,
      workflow: name,
      machines,
      current,
      nowMs: this.#options.now(),
    });
    const forbidden = hostFindings(workflow.object, this.#options.hosts);
    const findings = [...judged, ...forbidden, ...(proposal?.plan.findings ?? [])];
    const followed = proposal?.named && !findings.some(isError);
    return {
      workflow: workflow.object,
      findings,
      proposal: followed ? { ...proposal, named: proposal.named } : undefined,
      configMaps: environmentMaps(scope, application),
    };
  }
}

const applicationOf = (scope: Scope, configMaps: readonly ConfigMap[]): Application => ({
  functions: scope.functions,
  workflows: [scope.workflow, ...scope.others],
  policies: scope.policies,
  clusterPolicies: scope.clusterPolicies,
  configMaps,
  secrets: [],
  secretsUnknown: true,
  refusedFunctions: scope.refused,
  plans: scope.plans,
});

/** Those that become variables of pods: code, which is larger, is not kept. */
function environmentMaps({ functions }: Scope, { configMaps }: Application): Lookup<ConfigMap> {
  const names = new Set(
    functions.flatMap(({ object: { spec } }) => [
      ...spec.env.map((e) => e.valueFrom?.configMapKeyRef?.name),
      ...spec.envFrom.map((e) => e.configMapRef?.name),
    ]),
  );
  const kept = new Map(
    configMaps.filter((m) => names.has(m.metadata.name)).map((m) => [m.metadata.name, m] as const),
  );
  return (name) => kept.get(name);
}

export const workflowKey = (key: string): { readonly namespace: string; readonly workflow: string } => {
  const { namespace = '', name } = placeOf(key);
  return { namespace, workflow: name };
};
