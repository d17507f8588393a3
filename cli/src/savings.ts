/**
 * What could be saved of a workflow that runs: by functions that share a process, by machines that are nearer, and by calls that
 * nobody waits for. Each is the planner's own prediction in a world that differs in that alone.
 *
 * Owns: which worlds are compared, and how well the model is known to predict. Pure: a snapshot in, figures out.
 * The latency of a plan is calibrated by what was measured of the one that runs, so a world in which the same plan would be
 * quicker is compared without that, and its difference is scaled as the planner scales: never up.
 */
import { plan } from '@sinter/operator/planner/planner';
import type { Decision, Plan, PlanPrediction, Predicted } from '@sinter/operator/planner/plan';
import type { Snapshot } from '@sinter/operator/snapshot/index';

export interface Savings {
  /** What runs. */
  readonly running: Predicted;
  /** Root calls per second that somebody waits for; undefined: nobody counted them. */
  readonly rootsPerSecond: number | undefined;
  readonly fusing: Fusing;
  /** For each pair that is apart and may be together, what that alone would save; the best first. */
  readonly pairs: readonly Saving[];
  /** Undefined: everything is on one machine. */
  readonly moving: Saving | undefined;
  /** For each call that is waited for, what it would save if it were not; the best first. */
  readonly deferring: readonly Saving[];
  /** By how much of the measured latency the model is wrong about what runs; undefined: no latency was measured. */
  readonly error: ModelError | undefined;
}

export interface Saving {
  readonly about: string;
  /** What is saved: below nothing where it would cost. */
  readonly saved: Predicted;
}

export interface Fusing {
  /** Functions of each unit of more than one; empty: nothing better was found. */
  readonly groups: readonly (readonly string[])[];
  readonly saved: Predicted;
  /** Why it is this, in a word and a sentence. */
  readonly reason: string;
  readonly message: string;
}

export interface ModelError {
  readonly share: number;
  readonly saidMs: number;
  readonly measuredMs: number;
}

/** Undefined where nothing runs, nothing was measured, or no plan can be made. */
export function savingsOf(snapshot: Snapshot): Savings | undefined {
  if (!snapshot.current) return undefined;
  const running = plan(asItRuns(snapshot)).prediction;
  if (!running) return undefined;
  const plain = withoutLatencies(asItRuns(snapshot));
  const said = plan(plain).prediction ?? running;
  const scale = said.latencyMs > 0 ? Math.min(1, running.latencyMs / said.latencyMs) : 1;
  const savedBy = (world: Snapshot): Predicted | undefined => {
    const { prediction, findings } = plan(world);
    return prediction && findings.length === 0 ? difference(said, prediction, scale) : undefined;
  };
  return {
    running,
    rootsPerSecond: rateOf(snapshot),
    fusing: fusingOf(snapshot, running),
    pairs: pairsOf(snapshot, running),
    moving: movingOf(plain, savedBy),
    deferring: deferringOf(plain, savedBy),
    error: errorOf(snapshot, said),
  };
}

const asItRuns = (snapshot: Snapshot): Snapshot => withPolicy(snapshot, { mode: 'Off' });

type PolicySpec = Snapshot['policy']['spec'];

const withPolicy = (snapshot: Snapshot, spec: Partial<PolicySpec>): Snapshot => ({
  ...snapshot,
  policy: { ...snapshot.policy, spec: { ...snapshot.policy.spec, ...spec } },
});

/** As if nobody had measured how long root calls take: the model's own word. */
const withoutLatencies = (snapshot: Snapshot): Snapshot => ({
  ...snapshot,
  observations: {
    ...snapshot.observations,
    roots: snapshot.observations.roots.map((root) => ({ ...root, meanMs: null, p50Ms: null })),
  },
});

const difference = (before: Predicted, after: Predicted, scale = 1): Predicted => ({
  latencyMs: (before.latencyMs - after.latencyMs) * scale,
  memoryBytes: before.memoryBytes - after.memoryBytes,
  cost: before.cost - after.cost,
});

function rateOf({ observations }: Snapshot): number | undefined {
  const waited = observations.roots.filter((root) => root.call === 'Sync');
  const counted = waited.length > 0 ? waited : observations.roots;
  const rate = counted.reduce((all, root) => all + root.ratePerSecond, 0);
  return rate > 0 && observations.windowSeconds > 0 ? rate : undefined;
}

// ---- fusing

/** As the policy would let it be if it let Sinter choose. */
const freely = (snapshot: Snapshot, mode: PolicySpec['mode']): Snapshot => {
  const { fusion } = snapshot.policy.spec;
  const free = withPolicy(snapshot, { mode, fusion: { ...fusion, mode: 'Auto', strategy: 'Search' } });
  return { ...free, trials: { coolingUntilMs: null, candidate: null, lost: [] } };
};

function fusingOf(snapshot: Snapshot, running: PlanPrediction): Fusing {
  const found = plan(freely(snapshot, 'Optimize'));
  const isChange = found.outcome === 'BetterFound';
  const rollout = found.decisions.find((d) => d.kind === 'Rollout');
  const { prediction } = found;
  return {
    groups: isChange ? groupsOf(found) : [],
    saved:
      isChange && prediction ? difference(running, prediction) : { latencyMs: 0, memoryBytes: 0, cost: 0 },
    reason: found.outcome,
    message: rollout?.message ?? '',
  };
}

const groupsOf = ({ units }: Plan): readonly (readonly string[])[] =>
  units.map((unit) => unit.functions).filter((functions) => functions.length > 1);

/** The planner keeps what runs, and says of each pair what the other way would come to. */
function pairsOf(snapshot: Snapshot, running: PlanPrediction): readonly Saving[] {
  const { decisions } = plan(freely(snapshot, 'Observe'));
  const apart = decisions.filter((d) => d.kind === 'Fusion' && d.choice === 'Apart');
  return apart.flatMap((d) => pairSaving(d, running)).sort(byLatency);
}

function pairSaving({ about, alternatives }: Decision, running: PlanPrediction): readonly Saving[] {
  const predicted = alternatives[0]?.predicted;
  return predicted ? [{ about, saved: difference(running, predicted) }] : [];
}

const byLatency = (a: Saving, b: Saving): number =>
  b.saved.latencyMs - a.saved.latencyMs || (a.about < b.about ? -1 : 1);

// ---- moving and deferring

type SavedBy = (world: Snapshot) => Predicted | undefined;

/** Onto one machine that has room for everything; what calls took across machines says nothing there. */
function movingOf(plain: Snapshot, savedBy: SavedBy): Saving | undefined {
  const [first, second] = plain.machines;
  if (!first || !second) return undefined;
  const { name, architecture, tier } = first;
  const edges = plain.observations.edges.map(({ overheadMs: { Remote: _, ...near }, ...edge }) => ({
    ...edge,
    overheadMs: near,
  }));
  const observations = { ...plain.observations, edges };
  const saved = savedBy({ ...plain, observations, machines: [{ name, architecture, tier }] });
  return saved && { about: 'one machine', saved };
}

function deferringOf(plain: Snapshot, savedBy: SavedBy): readonly Saving[] {
  const { spec } = plain.workflow;
  return spec.edges
    .flatMap((edge, i) => {
      if (edge.call === 'Async') return [];
      const edges = spec.edges.with(i, { ...edge, call: 'Async' });
      const saved = savedBy({ ...plain, workflow: { ...plain.workflow, spec: { ...spec, edges } } });
      return saved ? [{ about: `${edge.from} → ${edge.to}`, saved }] : [];
    })
    .sort(byLatency);
}

// ---- the model

/** What the model says of what runs, which is a mean, beside what was measured of it. */
function errorOf({ observations }: Snapshot, said: PlanPrediction): ModelError | undefined {
  let [rate, error, saidMs, measuredMs] = [0, 0, 0, 0];
  for (const { function: name, call, ratePerSecond, p50Ms, meanMs } of observations.roots) {
    const measured = meanMs ?? p50Ms;
    const predicted = said.entries.find((entry) => entry.function === name)?.latencyMs;
    if (call !== 'Sync' || measured === null || predicted === undefined) continue;
    rate += ratePerSecond;
    error += ratePerSecond * Math.abs(predicted - measured);
    saidMs += ratePerSecond * predicted;
    measuredMs += ratePerSecond * measured;
  }
  if (rate === 0 || measuredMs === 0) return undefined;
  return { share: error / measuredMs, saidMs: saidMs / rate, measuredMs: measuredMs / rate };
}
