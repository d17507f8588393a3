/**
 * The rules that say no to a group: each is named after the fact found, and its name is what a user sees.
 *
 * Owns: which functions may share a process. Neighbour: `grouping.ts` says which ones should.
 * Invariants:
 *  1. A rule that refuses a group refuses every larger group too, so a group can be split until no rule is broken.
 *  2. One function alone breaks no rule.
 *  3. The order of the table is the order in which reasons are given: what cannot be changed by a wish comes first.
 */
import { canonicalJson as canonical } from '../model/canonical.ts';
import { architecturesOf, common, commonMachines, tiersOf } from './facts.ts';
import type { Facts } from './facts.ts';
import type { SnapshotFunction } from '../snapshot/snapshot.ts';

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

type Members = readonly SnapshotFunction[];
/** What is found, as a sentence; undefined: the rule has nothing against it. */
type GroupRule = (members: Members, facts: Facts) => string | undefined;
type PairRule = (a: SnapshotFunction, b: SnapshotFunction) => string | undefined;

/** A rule about two functions holds for a group when it holds for every pair. */
const pairwise =
  (rule: PairRule): GroupRule =>
  (members) => {
    for (const [i, a] of members.entries()) {
      for (const b of members.slice(i + 1)) {
        const found = rule(a, b);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };

const trustDomainsDiffer: PairRule = (a, b) =>
  a.spec.trustDomain === b.spec.trustDomain
    ? undefined
    : `${domainText(a)} and ${domainText(b)}; different trust domains never share a process`;

const domainText = (fn: SnapshotFunction): string =>
  fn.spec.trustDomain === ''
    ? `${fn.name} names no trust domain`
    : `${fn.name} is of trust domain '${fn.spec.trustDomain}'`;

/** Without a named domain nobody has consented to share what he can read. */
const secretsDiffer: PairRule = (a, b) =>
  a.spec.trustDomain !== '' || b.spec.trustDomain !== '' || canonical(a.secrets) === canonical(b.secrets)
    ? undefined
    : `${a.name} reads ${secretsText(a)} and ${b.name} ${secretsText(b)}; a shared trustDomain is the consent to share`;

const secretsText = (fn: SnapshotFunction): string =>
  fn.secrets.length === 0 ? 'no Secret' : `Secret ${fn.secrets.join(', ')}`;

const scaledExternally: PairRule = (a, b) => {
  const external = [a, b].find((fn) => fn.spec.scaling.mode === 'External');
  return external && `${external.name} is scaled by somebody else and needs a unit of its own`;
};

const podTemplatesDiffer: PairRule = (a, b) =>
  canonical(sorted(a.spec.template)) === canonical(sorted(b.spec.template))
    ? undefined
    : `${a.name} and ${b.name} ask for different pods (spec.template)`;

/** What is mounted for one function can be read by every function of the process. */
const volumeMountsDiffer: PairRule = (a, b) =>
  mountsText(a) === mountsText(b)
    ? undefined
    : `${a.name} and ${b.name} mount different volumes (spec.volumeMounts)`;

const mountsText = (fn: SnapshotFunction): string => fn.spec.volumeMounts.map(canonical).sort().join();

/** Lists in a pod template whose order means nothing, in one order. */
function sorted(template: SnapshotFunction['spec']['template']): unknown {
  const { imagePullSecrets, volumes, tolerations, ...rest } = template.spec;
  const lists = [imagePullSecrets, volumes, tolerations].map((list) => list.map(canonical).sort());
  return [template.metadata, rest, lists];
}

const scalingRangesDiffer: PairRule = (a, b) =>
  rangeText(a) === rangeText(b) ? undefined : `${a.name} wants ${rangeText(a)}, ${b.name} ${rangeText(b)}`;

const rangeText = ({ spec: { scaling } }: SnapshotFunction): string =>
  `${scaling.minInstances} to ${scaling.maxInstances} instances, idle after ${scaling.idleSeconds} s`;

/** Functions in one isolate share `process.env`. Only where both authors ask for that. */
const environmentsDiffer: PairRule = (a, b) =>
  a.spec.isolation !== 'Shared' ||
  b.spec.isolation !== 'Shared' ||
  canonical(a.environment) === canonical(b.environment)
    ? undefined
    : `${a.name} and ${b.name} ask for isolation Shared, and their environments differ`;

const noCommonTier: GroupRule = (members) =>
  common(members.map(tiersOf)).length > 0
    ? undefined
    : `no tier is allowed for all of ${names(members)} (spec.placement.tiers)`;

const noCommonArchitecture: GroupRule = (members, facts) =>
  common(members.map((m) => architecturesOf(m, facts))).length > 0
    ? undefined
    : `no architecture can run all of ${names(members)}: ${members
        .map((m) => `${m.name} runs on ${architecturesOf(m, facts).join(', ') || 'none'}`)
        .join('; ')}`;

/** Only where each alone has a machine: that one has none at all is no reason against the others. */
const noCommonMachine: GroupRule = (members, facts) =>
  commonMachines(members, facts).length > 0 || members.some((m) => commonMachines([m], facts).length === 0)
    ? undefined
    : `no machine may run all of ${names(members)}, though each has one`;

const maxFunctionsExceeded: GroupRule = (members, { snapshot: { policy } }) =>
  members.length <= policy.spec.fusion.maxFunctions
    ? undefined
    : `${members.length} functions are more than the ${policy.spec.fusion.maxFunctions} of fusion.maxFunctions`;

const inProcessNotAllowed: GroupRule = (_members, { snapshot: { policy } }) =>
  policy.spec.channels.allowed.includes('InProcess')
    ? undefined
    : 'the policy does not allow the channel InProcess (channels.allowed)';

const names = (members: Members): string => members.map((m) => m.name).join(', ');

export const GROUP_RULES: Readonly<Record<string, GroupRule>> = {
  TrustDomainsDiffer: pairwise(trustDomainsDiffer),
  SecretsDiffer: pairwise(secretsDiffer),
  ScaledExternally: pairwise(scaledExternally),
  PodTemplatesDiffer: pairwise(podTemplatesDiffer),
  VolumeMountsDiffer: pairwise(volumeMountsDiffer),
  NoCommonArchitecture: noCommonArchitecture,
  NoCommonTier: noCommonTier,
  NoCommonMachine: noCommonMachine,
  ScalingRangesDiffer: pairwise(scalingRangesDiffer),
  EnvironmentsDiffer: pairwise(environmentsDiffer),
  InProcessNotAllowed: inProcessNotAllowed,
  MaxFunctionsExceeded: maxFunctionsExceeded,
};

/** The first rule that says no to these functions in one process; undefined: they may share one. */
export function refusalOfGroup(members: Members, facts: Facts): Refusal | undefined {
  if (members.length < 2) return undefined;
  for (const [reason, rule] of Object.entries(GROUP_RULES)) {
    const message = rule(members, facts);
    if (message !== undefined) return { reason, message };
  }
  return undefined;
}
