/**
 * Plans of workflows, made anew only when something that they follow from has changed.
 *
 *   what is declared, in the groups that run ─▶ declared          the plan that memory says is tried or taken ─▶ tried
 *   the plan that `planRef` names ────────────▶ chosen            what was measured, now and then ────────────▶ better
 *
 * Owns: the order look, judge, propose, and the memory of what came out. Neighbours: `scope.ts` says what a plan follows
 * from, `resources/propose.ts` makes it.
 * Invariant: with one fingerprint there is one plan, however often it is asked for; but for the better one, which is looked for
 * again when figures have changed.
 */
import { NO_OBSERVATIONS, NO_TRIALS } from '../snapshot/index.ts';
import type { CurrentPlan, Observations, PlanShape, Trials } from '../snapshot/index.ts';
import { check, findingsFor } from '../model/check.ts';
import type { Finding } from '../model/finding.ts';
import { isError } from '../model/finding.ts';
import { notYet } from '../model/notYet.ts';
import { namespaceOf } from '../model/nouns.ts';
import type { Application, ConfigMap, WorkflowName, WorkflowObject } from '../model/nouns.ts';
import type { Lookup } from '../model/environment.ts';
import { canonicalJson } from '../model/canonical.ts';
import { keyOf, placeOf } from '../kube/objects.ts';
import { planShape, propose } from '../resources/index.ts';
import type { Proposal } from '../resources/index.ts';
import type { GatherInput } from '../snapshot/gather.ts';
import type { Contents } from './contents.ts';
import { reading } from './declared.ts';
import { hostFindings } from './hosts.ts';
import type { AllowedHosts } from './hosts.ts';
import type { StoredObject } from './kinds.ts';
import { scopeOf } from './scope.ts';
import type { Scope } from './scope.ts';
import type { Followed } from './target.ts';
import type { Stores } from './stores.ts';

/** What plans of a workflow follow from besides its objects. */
export interface Circumstances {
  readonly current: CurrentPlan | null;
  /** What its roll-outs have come to: with `candidate` set, no better plan is looked for. */
  readonly trials: Trials;
  readonly observations: () => Observations;
  /** How many calls were observed: while that stands still, so does what a better plan would follow from. */
  readonly calls: number;
  /** Instances of what runs that were ended for lack of memory: it is to have more, whatever else is tried. */
  readonly kills: number;
  /** The plan that `planRef` names, where it is another one than what runs and is known. */
  readonly chosen: PlanShape | undefined;
}

/** Nothing runs, nothing was seen. */
export const NOTHING_YET: Circumstances = {
  current: null,
  trials: NO_TRIALS,
  observations: () => NO_OBSERVATIONS,
  calls: 0,
  kills: 0,
  chosen: undefined,
};

/** What came out for one workflow. */
export interface Planned {
  /** Undefined: the object itself is refused. */
  readonly workflow: WorkflowObject | undefined;
  /** On the workflow, its Functions and its policy, and on the plan. */
  readonly findings: readonly Finding[];
  /** Of what is declared, in the groups and sizes that run. Undefined where a finding is an Error. */
  readonly proposal: Followed | undefined;
  /** Of other groups; undefined: none is asked for, or what is declared does not give that plan any more. */
  readonly tried?: Followed | undefined;
  readonly chosen?: Followed | undefined;
  /** What the planner would rather have, as it found last. */
  readonly better?: Followed | undefined;
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
  readonly application: Application;
  readonly planned: Planned;
  /** By what each follows from. */
  readonly tried: Remembered;
  readonly chosen: Remembered;
  readonly better: Remembered;
}

interface Remembered {
  readonly key: string;
  readonly plan: Followed | undefined;
  readonly atMs: number;
  readonly calls: number;
}

const NOT_LOOKED: Remembered = { key: '', plan: undefined, atMs: -Infinity, calls: -1 };
/** So often at most a better plan is looked for: the search of a large graph takes a second. */
const SEARCH_MS = 10_000;
/** Nothing is to change but what is declared. */
const KEEP: Trials = { coolingUntilMs: Number.MAX_SAFE_INTEGER, candidate: null, lost: [] };

const NOTHING: Lookup<ConfigMap> = () => undefined;

export class Proposals {
  readonly #options: ProposalsOptions;
  readonly #known = new Map<string, Known>();
  /** Workflows by the ConfigMaps that they read. */
  readonly #readers = new Map<string, Set<string>>();

  constructor(options: ProposalsOptions) {
    this.#options = options;
  }

  async of(stored: StoredObject, circumstances: Circumstances, signal: AbortSignal): Promise<Planned> {
    const read = reading('Workflow', stored);
    if (!read.ok)
      return { workflow: undefined, findings: read.findings, proposal: undefined, configMaps: NOTHING };
    const key = keyOf(stored.metadata);
    const scope = scopeOf(stored, read.declared, this.#options);
    this.#note(key, scope);
    const { current, kills } = circumstances;
    const fingerprint = `${scope.fingerprint} ${current?.hash ?? ''} ${String(kills)}`;
    const known = this.#known.get(key);
    const declared =
      known?.fingerprint === fingerprint
        ? known
        : { fingerprint, ...(await this.#declared(key, scope, circumstances, signal)), ...NOTHING_LOOKED };
    const looked = declared.planned.proposal ? this.#look(key, declared, scope, circumstances) : declared;
    this.#known.set(key, looked);
    const { tried, chosen, better, planned } = looked;
    return { ...planned, tried: tried.plan, chosen: chosen.plan, better: better.plan };
  }

  /** Plans in other groups than those that run, as far as they are asked for. */
  #look(key: string, known: Known, scope: Scope, of: Circumstances): Known {
    const { trials, chosen, calls } = of;
    const made = (before: Remembered, shape: PlanShape | null | undefined): Remembered => {
      if (!shape) return NOT_LOOKED;
      if (before.key === shape.hash) return before;
      const trial = { ...KEEP, coolingUntilMs: null, candidate: shape };
      const found = this.#propose(key, known.application, scope, { ...of, trials: trial });
      return { ...NOT_LOOKED, key: shape.hash, plan: found?.named.hash === shape.hash ? found : undefined };
    };
    const searched = (before: Remembered): Remembered => {
      if (trials.candidate || chosen) return NOT_LOOKED;
      const nowMs = this.#options.clock();
      const trialsKey = canonicalJson(trials);
      const isNew = before.calls !== calls || before.key !== trialsKey;
      if (!isNew || nowMs - before.atMs < SEARCH_MS) return before;
      const plan = this.#propose(key, known.application, scope, of);
      // A trial lasts for an hour: what cannot be made again is no plan to begin one with.
      const again = made(NOT_LOOKED, plan && planShape(plan.named.object));
      return { key: trialsKey, plan: again.plan && plan, atMs: nowMs, calls };
    };
    return {
      ...known,
      tried: made(known.tried, trials.candidate),
      chosen: made(known.chosen, chosen),
      better: of.current ? searched(known.better) : NOT_LOOKED,
    };
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

  async #declared(
    key: string,
    scope: Scope,
    circumstances: Circumstances,
    signal: AbortSignal,
  ): Promise<Pick<Known, 'application' | 'planned'>> {
    const configMaps = await Promise.all(
      scope.configMaps.map((place) => this.#options.contents.get(place, signal)),
    );
    const application = applicationOf(
      scope,
      configMaps.flatMap((map) => map ?? []),
    );
    const judged = findingsFor([...check(application), ...notYet(application)], nameOf(scope), application);
    const startMs = this.#options.clock();
    const observations = (): Observations => withSizesKept(circumstances);
    const proposal = propose(
      this.#input(application, scope, { ...circumstances, trials: KEEP, observations }),
    );
    this.#options.onPlanned?.(key, this.#options.clock() - startMs);
    const forbidden = hostFindings(scope.workflow.object, this.#options.hosts);
    const findings = [...judged, ...forbidden, ...(proposal?.plan.findings ?? [])];
    const planned = {
      workflow: scope.workflow.object,
      findings,
      proposal: findings.some(isError) ? undefined : followed(proposal),
      configMaps: environmentMaps(scope, application),
    };
    return { application, planned };
  }

  #propose(key: string, application: Application, scope: Scope, of: Circumstances): Followed | undefined {
    const startMs = this.#options.clock();
    const found = followed(propose(this.#input(application, scope, of)));
    this.#options.onPlanned?.(key, this.#options.clock() - startMs);
    return found;
  }

  #input(
    application: Application,
    scope: Scope,
    { current, trials, observations }: Circumstances,
  ): GatherInput {
    const { machines } = scope;
    const workflow = nameOf(scope);
    const nowMs = this.#options.now();
    return { application, workflow, machines, current, trials, observations: observations(), nowMs };
  }
}

/**
 * Of units that run only whether they were ended for lack of memory: that they could do with less makes a better plan, to be
 * tried, and never what is declared; else one that has just been given more would lose it again.
 */
function withSizesKept({ current, observations }: Circumstances): Observations {
  const seen = observations();
  const named = (functions: readonly string[]): string => [...functions].sort().join();
  const kills = new Map(seen.units.map((u) => [named(u.functions), u.outOfMemoryKills] as const));
  const units = (current?.units ?? []).map(({ functions }) => ({
    functions,
    samples: 1,
    memoryBytes: null,
    cpuMillis: null,
    outOfMemoryKills: kills.get(named(functions)) ?? 0,
  }));
  return { ...seen, units };
}

const NOTHING_LOOKED = { tried: NOT_LOOKED, chosen: NOT_LOOKED, better: NOT_LOOKED };

const nameOf = ({ workflow: { object } }: Scope): WorkflowName => ({
  namespace: namespaceOf(object),
  workflow: object.metadata.name,
});

const followed = (proposal: Proposal | undefined): Followed | undefined =>
  proposal?.named && !proposal.plan.findings.some(isError)
    ? { ...proposal, named: proposal.named }
    : undefined;

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
