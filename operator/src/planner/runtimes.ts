/**
 * As what each function runs on each architecture.
 *
 * Owns: the choice among a function's artifacts and its reason. Neighbour: `facts.ts` says which ones can be used.
 * Without observations the choice is a static prior: JavaScript before WASM, because an isolate keeps its compiled code
 * and its heap from call to call, while WASM gets a new instance for each.
 */
import type { Architecture, ArtifactType } from '../model/nouns.ts';
import type { SnapshotArtifact, SnapshotFunction } from '../snapshot/snapshot.ts';
import { alternative, decision, input, listText, msText } from './decide.ts';
import { keepKey, refusalOf, runsOn } from './facts.ts';
import type { ArtifactRefusal, Facts } from './facts.ts';
import { executionInputs } from './inputs.ts';
import type { Decision, DecisionAlternative, Predicted } from './plan.ts';
import { WORKER_BYTES } from './priors.ts';

/** What is taken first while nothing is measured. */
const PRIOR: readonly ArtifactType[] = ['JavaScript', 'Wasm', 'Container'];

interface Choice {
  readonly artifact: SnapshotArtifact | undefined;
  readonly reason: string;
  readonly message: string;
}

/** The artifact of a function on an architecture; undefined where it has none that can be used. */
export const artifactOn = (
  fn: SnapshotFunction,
  architecture: Architecture,
  facts: Facts,
): SnapshotArtifact | undefined => choose(fn, architecture, facts).artifact;

/** The artifacts that a function runs as, on any of the architectures that it is allowed on. */
export const artifactsUsed = (fn: SnapshotFunction, facts: Facts): ReadonlySet<string> =>
  new Set(fn.spec.placement.architectures.flatMap((a) => artifactOn(fn, a, facts)?.name ?? []));

/** All of them as text: two plans with the same text run the same artifacts. */
export const artifactsText = (facts: Facts): string =>
  [...facts.functions.values()]
    .flatMap((fn) =>
      fn.spec.placement.architectures.map((a) => `${fn.name} ${a} ${artifactOn(fn, a, facts)?.name ?? ''}`),
    )
    .join();

function choose(fn: SnapshotFunction, architecture: Architecture, facts: Facts): Choice {
  const fresh = freshChoice(fn, architecture, facts);
  const name = facts.keeps.get(keepKey(fn.name, architecture));
  const kept = fn.artifacts.find((a) => a.name === name);
  if (!kept || kept === fresh.artifact || fresh.reason === 'PolicyPrefers') return fresh;
  if (refusalOn(kept, fn, architecture, facts)) return fresh;
  return {
    artifact: kept,
    reason: 'KeptAsItRuns',
    message: `it runs as ${kept.name}, and nothing else promises enough`,
  };
}

function freshChoice(fn: SnapshotFunction, architecture: Architecture, facts: Facts): Choice {
  const usable = fn.artifacts.filter((a) => !refusalOn(a, fn, architecture, facts));
  const [first, ...others] = ranked(usable, facts);
  if (!first) {
    const message = `${fn.name} has no artifact that can run on ${architecture}`;
    return { artifact: undefined, reason: 'NoCommonArchitecture', message };
  }
  const faster =
    first.type === facts.snapshot.policy.spec.runtime.prefer
      ? undefined
      : fastest(usable, first, fn, architecture, facts);
  if (faster) return faster;
  return { artifact: first, ...reasonFor(first, others, fn, architecture, facts) };
}

/**
 * The artifact that was measured to be quickest there, by more than the least gain for which anything is changed; undefined: the
 * one that is taken anyway, or nothing else was measured.
 */
function fastest(
  usable: readonly SnapshotArtifact[],
  first: SnapshotArtifact,
  fn: SnapshotFunction,
  architecture: Architecture,
  facts: Facts,
): Choice | undefined {
  const before = measuredMs(first, fn, architecture, facts);
  const timed = usable.flatMap((artifact) => {
    const ms = measuredMs(artifact, fn, architecture, facts);
    return ms === undefined ? [] : [{ artifact, ms }];
  });
  const [best] = timed.sort((a, b) => a.ms - b.ms);
  const { minimumGainPercent } = facts.snapshot.policy.spec.rollout;
  if (before === undefined || !best || best.ms >= before * (1 - minimumGainPercent / 100)) return undefined;
  const message = `an execution takes ${msText(best.ms)} as ${best.artifact.name} and ${msText(before)} as ${first.name}`;
  return { artifact: best.artifact, reason: 'MeasuredFaster', message };
}

/** Of one execution as this artifact, on this architecture or wherever it was; undefined: it was not measured. */
function measuredMs(
  artifact: SnapshotArtifact,
  fn: SnapshotFunction,
  architecture: Architecture,
  { snapshot }: Facts,
): number | undefined {
  const rows = snapshot.observations.functions.filter(
    (row) =>
      row.function === fn.name &&
      row.artifact === artifact.name &&
      (row.architecture === undefined || row.architecture === architecture),
  );
  const weight = rows.reduce((all, row) => all + Math.max(1, row.samples), 0);
  const total = rows.reduce((all, row) => all + (row.cpuMs + row.waitingMs) * Math.max(1, row.samples), 0);
  return weight === 0 ? undefined : total / weight;
}

/** What the policy prefers first, then the prior, then by name. */
function ranked(artifacts: readonly SnapshotArtifact[], facts: Facts): readonly SnapshotArtifact[] {
  const { prefer } = facts.snapshot.policy.spec.runtime;
  const rank = (a: SnapshotArtifact): number => (a.type === prefer ? -1 : PRIOR.indexOf(a.type));
  return [...artifacts].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

function reasonFor(
  chosen: SnapshotArtifact,
  others: readonly SnapshotArtifact[],
  fn: SnapshotFunction,
  architecture: Architecture,
  facts: Facts,
): Omit<Choice, 'artifact'> {
  const { prefer } = facts.snapshot.policy.spec.runtime;
  if (prefer !== 'Auto' && chosen.type === prefer) {
    return { reason: 'PolicyPrefers', message: `the policy prefers ${prefer} (runtime.prefer)` };
  }
  const missed = fn.artifacts.find((a) => a.type === prefer);
  const why = missed && refusalOn(missed, fn, architecture, facts);
  if (missed && why) {
    return {
      reason: why.reason,
      message: `the policy prefers ${prefer}, but ${missed.name} cannot be used: ${why.message}`,
    };
  }
  if (others.length === 0) {
    const message = `nothing else of ${fn.name} can run on ${architecture}${unusableText(fn, architecture, facts)}`;
    return { reason: 'OnlyArtifact', message };
  }
  if (measuredMs(chosen, fn, architecture, facts) !== undefined) {
    const never = others
      .filter((o) => measuredMs(o, fn, architecture, facts) === undefined)
      .map((o) => o.name);
    return never.length > 0
      ? { reason: 'OthersNotMeasured', message: `it is measured, and ${listText(never)} never ran there` }
      : { reason: 'NoFasterMeasured', message: `nothing else was measured to be quicker there by enough` };
  }
  return {
    reason: 'NoObservations',
    message: `nothing is measured yet; ${chosen.type} is taken first because it keeps its state between calls warm`,
  };
}

/** ` (native: container artifacts come later)`; empty where there is nothing else. */
function unusableText(fn: SnapshotFunction, architecture: Architecture, facts: Facts): string {
  const refused = fn.artifacts.flatMap((a) => {
    const why = refusalOn(a, fn, architecture, facts);
    return why ? [`${a.name}: ${why.message}`] : [];
  });
  return refused.length === 0 ? '' : ` (${refused.join('; ')})`;
}

function refusalOn(
  artifact: SnapshotArtifact,
  fn: SnapshotFunction,
  architecture: Architecture,
  facts: Facts,
): ArtifactRefusal | undefined {
  if (runsOn(artifact, architecture)) return refusalOf(artifact, fn, facts);
  return { reason: 'NotOnArchitecture', message: `it runs on ${artifact.architectures.join(', ')} only` };
}

/**
 * One decision for each architecture that the function is allowed on; `unitRunsOn` are those of its unit.
 */
export function runtimeDecisions(
  fn: SnapshotFunction,
  unitRunsOn: readonly Architecture[],
  facts: Facts,
): readonly Decision[] {
  return [...fn.spec.placement.architectures].sort().map((architecture) => {
    const choice = choose(fn, architecture, facts);
    const left = choice.artifact && !unitRunsOn.includes(architecture);
    const artifact = left ? undefined : choice.artifact;
    return decision({
      about: `${fn.name} on ${architecture}`,
      kind: 'Runtime',
      choice: artifact ? `${artifact.name} (${artifact.type})` : 'none',
      reason: left ? 'UnitRunsElsewhere' : choice.reason,
      message: left
        ? `the unit of ${fn.name} does not run on ${architecture}: another of its functions cannot`
        : choice.message,
      inputs: [
        input('runtime.prefer', facts.snapshot.policy.spec.runtime.prefer, 'policy'),
        input(
          'artifacts',
          fn.artifacts
            .map((a) => `${a.name} (${a.type})`)
            .join(', ')
            .slice(0, 256),
        ),
        ...executionInputs(fn, facts),
      ],
      alternatives: alternativesTo(artifact, fn, architecture, facts),
    });
  });
}

function alternativesTo(
  chosen: SnapshotArtifact | undefined,
  fn: SnapshotFunction,
  architecture: Architecture,
  facts: Facts,
): readonly DecisionAlternative[] {
  const refused = (a: SnapshotArtifact): ArtifactRefusal | undefined => refusalOn(a, fn, architecture, facts);
  const others = fn.artifacts.filter((a) => a !== chosen);
  const usable = ranked(
    others.filter((a) => !refused(a)),
    facts,
  );
  const unusable = others.filter(refused);
  return [...usable, ...unusable].map((artifact) => {
    const why = refused(artifact) ?? {
      reason: 'RankedLower',
      message: whyLower(artifact, fn, architecture, facts),
    };
    return alternative(`${artifact.name} (${artifact.type})`, why.reason, why.message);
  });
}

function whyLower(
  artifact: SnapshotArtifact,
  fn: SnapshotFunction,
  architecture: Architecture,
  facts: Facts,
): string {
  const ms = measuredMs(artifact, fn, architecture, facts);
  const last = 'it comes later in the order of preference';
  return ms === undefined ? last : `${last}; an execution takes ${msText(ms)} there`;
}

/** How a function is kept apart from the others of its process: a thread of its own, until Shared comes. */
export function isolationDecision(
  fn: SnapshotFunction,
  companions: readonly SnapshotFunction[],
  predicted: Predicted | undefined,
): Decision {
  const asked = fn.spec.isolation;
  return decision({
    about: fn.name,
    kind: 'Isolation',
    choice: 'Worker',
    ...isolationReason(asked),
    inputs: [input('isolation', asked, 'Function')],
    alternatives: [
      companions.length === 0
        ? alternative('Shared', 'NothingToShareWith', 'it is alone in its process')
        : alternative('Shared', 'NotYet', 'threads that functions share come later', sharedBy(predicted)),
    ],
  });
}

/** A thread less: 10 MB, and on the way of a call about nothing. */
const sharedBy = (predicted: Predicted | undefined) =>
  predicted ? { predicted: { ...predicted, memoryBytes: predicted.memoryBytes - WORKER_BYTES } } : {};

function isolationReason(asked: string): Pick<Decision, 'reason' | 'message'> {
  switch (asked) {
    case 'Worker':
      return { reason: 'Declared', message: 'the function asks for a thread of its own (isolation: Worker)' };
    case 'Shared':
      return { reason: 'NotYet', message: 'isolation Shared comes later; until then a thread of its own' };
    default:
      return { reason: 'NoObservations', message: 'a thread of its own, as long as nothing is measured' };
  }
}
