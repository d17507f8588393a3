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
import type { Machine } from '../model/nouns.ts';
import { bytesOf, cpuMillisOf, cpuText, memoryText } from '../model/quantity.ts';
import { listText } from './decide.ts';
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

/**
 * A rule that all functions of a group must be alike in something: in one text, which is what makes such a rule quick to ask
 * of many groups.
 */
interface AlikeRule {
  readonly key: (fn: SnapshotFunction) => string;
  readonly says: (a: SnapshotFunction, b: SnapshotFunction) => string;
}

/** It holds for a group when it holds for every pair; the first pair that it does not hold for is told. */
const alike =
  ({ key, says }: AlikeRule): GroupRule =>
  ([first, ...others]) => {
    const odd = first && others.find((fn) => key(fn) !== key(first));
    return odd && says(first, odd);
  };

const trustDomainsDiffer: AlikeRule = {
  key: (fn) => fn.spec.trustDomain,
  says: (a, b) => `${domainText(a)} and ${domainText(b)}; different trust domains never share a process`,
};

const domainText = (fn: SnapshotFunction): string =>
  fn.spec.trustDomain === ''
    ? `${fn.name} names no trust domain`
    : `${fn.name} is of trust domain '${fn.spec.trustDomain}'`;

/** Without a named domain nobody has consented to share what he can read. */
const secretsDiffer: AlikeRule = {
  key: (fn) => (fn.spec.trustDomain === '' ? canonical(fn.secrets) : ''),
  says: (a, b) =>
    `${a.name} reads ${secretsText(a)} and ${b.name} ${secretsText(b)}; a shared trustDomain is the consent to share`,
};

const secretsText = (fn: SnapshotFunction): string =>
  fn.secrets.length === 0 ? 'no Secret' : `Secret ${fn.secrets.join(', ')}`;

const isExternal = (fn: SnapshotFunction): boolean => fn.spec.scaling.mode === 'External';

const scaledExternally: AlikeRule = {
  key: (fn) => (isExternal(fn) ? fn.name : ''),
  says: (a, b) => `${isExternal(a) ? a.name : b.name} is scaled by somebody else and needs a unit of its own`,
};

const podTemplatesDiffer: AlikeRule = {
  key: (fn) => canonical(sorted(fn.spec.template)),
  says: (a, b) => `${a.name} and ${b.name} ask for different pods (spec.template)`,
};

/** What is mounted for one function can be read by every function of the process. */
const volumeMountsDiffer: AlikeRule = {
  key: (fn) => fn.spec.volumeMounts.map(canonical).sort().join(),
  says: (a, b) => `${a.name} and ${b.name} mount different volumes (spec.volumeMounts)`,
};

/** Lists in a pod template whose order means nothing, in one order. */
function sorted(template: SnapshotFunction['spec']['template']): unknown {
  const { imagePullSecrets, volumes, tolerations, ...rest } = template.spec;
  const lists = [imagePullSecrets, volumes, tolerations].map((list) => list.map(canonical).sort());
  return [template.metadata, rest, lists];
}

const scalingRangesDiffer: AlikeRule = {
  key: rangeText,
  says: (a, b) => `${a.name} wants ${rangeText(a)}, ${b.name} ${rangeText(b)}`,
};

function rangeText({ spec: { scaling } }: SnapshotFunction): string {
  return `${scaling.minInstances} to ${scaling.maxInstances} instances, idle after ${scaling.idleSeconds} s`;
}

/** Functions in one isolate share `process.env`. Only where both authors ask for that. */
const environmentsDiffer: GroupRule = (members) => {
  const sharing = members.filter((fn) => fn.spec.isolation === 'Shared');
  const [first, ...others] = sharing;
  const odd = first && others.find((fn) => canonical(fn.environment) !== canonical(first.environment));
  return odd && `${first.name} and ${odd.name} ask for isolation Shared, and their environments differ`;
};

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

/** What one machine must have left for all of them: the largest that may run them has less. */
const memoryWouldExceed: GroupRule = (members, facts) => {
  const needed = sumOf(members, (fn) => bytesOf(fn.spec.resources.requests.memory));
  const [largest, machine] = largestOf(members, facts, (m) => m.memoryBytes);
  return needed <= largest
    ? undefined
    : `${names(members)} ask for ${memoryText(needed)} of memory together, and the largest machine for them ` +
        `(${machine}) has ${memoryText(largest)} (spec.resources.requests.memory)`;
};

const cpuWouldExceed: GroupRule = (members, facts) => {
  if (!facts.snapshot.enforcesLimits) return undefined; // nobody reserves what is asked for
  const needed = sumOf(members, (fn) => cpuMillisOf(fn.spec.resources.requests.cpu));
  const [largest, machine] = largestOf(members, facts, (m) => m.cpuMillis);
  return needed <= largest
    ? undefined
    : `${names(members)} ask for ${cpuText(needed)} cores together, and the largest machine for them ` +
        `(${machine}) has ${cpuText(largest)} (spec.resources.requests.cpu)`;
};

const sumOf = (members: Members, of: (fn: SnapshotFunction) => number): number =>
  members.reduce((all, fn) => all + of(fn), 0);

/** The most that any machine for all of them has; without limit where that is not known of one, or where there is none. */
function largestOf(
  members: Members,
  facts: Facts,
  has: (machine: Machine) => number | undefined,
): readonly [number, string] {
  const sizes = commonMachines(members, facts).map((m) => [has(m) ?? Infinity, m.name] as const);
  return sizes.length === 0 ? [Infinity, ''] : sizes.reduce((a, b) => (b[0] > a[0] ? b : a));
}

/**
 * A unit's rights are signed into one token, which the bus takes on one line of 256 KiB at most. Estimated from above: the
 * subjects of each function and edge with their names, and a third more for the token's encoding.
 */
const credentialWouldExceed: GroupRule = (members, facts) => {
  const bytes = CREDENTIAL_BYTES + sumOf(members, (fn) => credentialBytes(fn, facts));
  return bytes <= CREDENTIAL_BYTES_MAX
    ? undefined
    : `the credential for ${members.length} functions and their edges would have ${Math.ceil(bytes / 1024)} KiB, ` +
        `and the bus takes ${CREDENTIAL_BYTES_MAX / 1024} KiB`;
};

/** 256 KiB (`max_control_line`), less what else is on the line. */
export const CREDENTIAL_BYTES_MAX = 252 * 1024;
/** Of a credential without any function. */
export const CREDENTIAL_BYTES = 8 * 1024;
const SUBJECT_BYTES = 96;
const SUBJECTS_OF_FUNCTION = 6;
const ENCODING = 4 / 3;

/** What one function and the edges that leave it add to its unit's credential. */
export function credentialBytes(
  { name }: SnapshotFunction,
  { snapshot: { workflow }, edgesFrom }: Facts,
): number {
  const bytes = SUBJECT_BYTES + 2 * (workflow.namespace.length + workflow.name.length + name.length);
  const calls = edgesFrom.get(name) ?? [];
  return ENCODING * (SUBJECTS_OF_FUNCTION * bytes + calls.reduce((all, e) => all + bytes + e.to.length, 0));
}

const names = (members: Members): string => listText(members.map((m) => m.name));

/** Functions with the same text break none of the rules in which functions must be alike. */
export const alikeKey = (fn: SnapshotFunction): string =>
  [
    trustDomainsDiffer,
    secretsDiffer,
    scaledExternally,
    podTemplatesDiffer,
    volumeMountsDiffer,
    scalingRangesDiffer,
  ]
    .map((rule) => rule.key(fn))
    .join('\n');

export const GROUP_RULES: Readonly<Record<string, GroupRule>> = {
  TrustDomainsDiffer: alike(trustDomainsDiffer),
  SecretsDiffer: alike(secretsDiffer),
  ScaledExternally: alike(scaledExternally),
  PodTemplatesDiffer: alike(podTemplatesDiffer),
  VolumeMountsDiffer: alike(volumeMountsDiffer),
  NoCommonArchitecture: noCommonArchitecture,
  NoCommonTier: noCommonTier,
  NoCommonMachine: noCommonMachine,
  ScalingRangesDiffer: alike(scalingRangesDiffer),
  EnvironmentsDiffer: environmentsDiffer,
  InProcessNotAllowed: inProcessNotAllowed,
  MemoryWouldExceed: memoryWouldExceed,
  CpuWouldExceed: cpuWouldExceed,
  CredentialWouldExceed: credentialWouldExceed,
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
