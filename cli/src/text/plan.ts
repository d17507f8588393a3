/**
 * A plan as a person reads it: units, runtimes, machines, channels, each with its reason.
 *
 * Owns: the tables and which decision explains which row. Nothing is decided here.
 */
import { allowedMachines, spread } from '@sinter/operator/planner/placement';
import type { Decision, Plan, PlanUnit } from '@sinter/operator/planner/plan';
import type { Machine } from '@sinter/operator/model/nouns';
import type { Colors } from '../terminal.ts';
import { count, hanging, middle, table, WIDTH } from './layout.ts';

/** A plan with its names. */
export interface NamedPlan {
  readonly plan: Plan;
  readonly hash: string;
  /** In the order of `plan.units`. */
  readonly unitNames: readonly string[];
}

/** The names of a plan, out of the object that a cluster would show. */
export function namedPlan(
  plan: Plan,
  hash: string,
  planObject: Readonly<Record<string, unknown>>,
): NamedPlan {
  const spec = planObject['spec'];
  const units = typeof spec === 'object' && spec !== null && 'units' in spec ? spec.units : [];
  const names = Array.isArray(units) ? units.map((u: { readonly name?: unknown }) => String(u.name)) : [];
  return { plan, hash, unitNames: names };
}

/** `traffic-5f3a9c21d4` → `5f3a9c21d4`. */
export function hashOf(planObject: Readonly<Record<string, unknown>>): string {
  const metadata = planObject['metadata'];
  const name = typeof metadata === 'object' && metadata !== null && 'name' in metadata ? metadata.name : '';
  return String(name).split('-').at(-1) ?? '';
}

/** The artifact of a function as it runs on an architecture; of any where the unit does not run on that one. */
export function artifactOf(unit: PlanUnit, fn: string, architecture: string): string {
  const variant = unit.variants.find((v) => v.architecture === architecture) ?? unit.variants[0];
  return variant?.artifacts.find((a) => a.function === fn)?.artifact ?? '';
}

export const reasonOf = (plan: Plan, kind: Decision['kind'], about: string): string =>
  plan.decisions.find((d) => d.kind === kind && d.about === about)?.reason ?? '';

export const edgeText = (from: string, to: string): string => `${from} → ${to}`;

const VIA: Readonly<Record<string, string>> = {
  InProcess: 'in-process',
  Pod: 'pod',
  Node: 'node',
  Remote: 'remote',
  Queue: 'queue',
  LocalQueue: 'local queue',
};

/** `6 in-process, 2 node, 1 remote`, the most frequent first. */
export function tally(words: readonly string[]): string {
  const sums = new Map<string, number>();
  for (const word of words) sums.set(word, (sums.get(word) ?? 0) + 1);
  const sorted = [...sums].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return sorted.map(([word, n]) => `${String(n)} ${word}`).join(', ') || 'none';
}

export const viaText = (channel: string): string => VIA[channel] ?? channel;

export const channelTally = ({ channels }: Plan): string => tally(channels.map((c) => viaText(c.channel)));

export const runtimeTally = ({ units }: Plan, architecture: string): string =>
  tally(units.flatMap((u) => u.functions.map((fn) => artifactOf(u, fn, architecture))));

/** `10 js`; where architectures run different artifacts, `amd64: 10 js, arm64: 8 js, 2 wasm`. */
function runtimesText(plan: Plan, architectures: readonly string[]): string {
  const tallies = architectures.map((architecture) => runtimeTally(plan, architecture));
  if (new Set(tallies).size <= 1) return tallies[0] ?? runtimeTally(plan, '');
  return tallies.map((text, i) => `${architectures[i] ?? ''}: ${text}`).join(', ');
}

/** Chosen: Sinter itself puts units on machines, as in a run. Allowed: somebody else chooses among those, as in a cluster. */
export type Placing = 'Chosen' | 'Allowed';

export function planLines(
  named: NamedPlan,
  machines: readonly Machine[],
  colors: Colors,
  placing: Placing = 'Chosen',
): readonly string[] {
  const { plan, hash } = named;
  const functions = plan.units.reduce((sum, u) => sum + u.functions.length, 0);
  const policy = plan.decisions.find((d) => d.kind === 'Policy');
  const architectures = architecturesOf(machines);
  return [
    titleLine(plan, hash, policy ? `policy ${middle(policy.choice, 24)} (${policy.reason})` : '', colors),
    ...hanging(
      '',
      `${count(functions, 'function')} in ${count(plan.units.length, 'unit')}: ${runtimesText(plan, architectures)}; ` +
        `${count(plan.channels.length, 'channel')}: ${channelTally(plan)}`,
    ),
    '',
    ...unitTable(named, machines, colors, placing),
    ...(plan.channels.length === 0 ? [] : ['', ...channelTable(plan, colors)]),
    '',
    ...whyLines(plan, architectures, colors),
  ];
}

export const titleLine = (
  { namespace, workflow }: { readonly namespace: string; readonly workflow: string },
  hash: string,
  rest: string,
  colors: Colors,
): string => {
  const room = WIDTH - `  plan ${hash}  ${rest}`.length;
  return `${colors.bold(middle(`${namespace}/${workflow}`, room))}  plan ${colors.bold(hash)}  ${rest}`.trimEnd();
};

const architecturesOf = (machines: readonly Machine[]): readonly string[] =>
  [...new Set(machines.map((m) => m.architecture))].sort();

function unitTable(
  { plan, unitNames }: NamedPlan,
  machines: readonly Machine[],
  colors: Colors,
  placing: Placing,
): readonly string[] {
  const rows = plan.units.flatMap((unit, i) => {
    const runs = unit.functions.flatMap((fn) => runsAs(plan, unit, fn, machines));
    return runs.map((row, j) =>
      j === 0 ? [unitNames[i] ?? '', ...row, placesText(unit, machines, placing)] : ['', ...row, ''],
    );
  });
  const columns = [
    { title: 'UNIT', style: colors.cyan },
    { title: 'FUNCTION' },
    { title: 'RUNS AS' },
    { title: 'REASON', style: colors.dim },
    { title: placing === 'Chosen' ? 'MACHINE' : 'MAY RUN ON' },
  ];
  return table(columns, rows, { title: colors.dim });
}

/** Rows of function, artifact and reason: one, or one for each artifact where architectures run different ones. */
function runsAs(
  plan: Plan,
  unit: PlanUnit,
  fn: string,
  machines: readonly Machine[],
): readonly (readonly string[])[] {
  const architectures = architecturesOf(allowedMachines(unit.placement, machines));
  const byArtifact = new Map<string, string[]>();
  for (const architecture of architectures.length === 0 ? [''] : architectures) {
    const artifact = artifactOf(unit, fn, architecture);
    byArtifact.set(artifact, [...(byArtifact.get(artifact) ?? []), architecture]);
  }
  return [...byArtifact].map(([artifact, on], i) => {
    const reason = reasonOf(plan, 'Runtime', `${fn} on ${on[0] ?? ''}`) || reasonOf(plan, 'Runtime', fn);
    return [i === 0 ? fn : '', byArtifact.size === 1 ? artifact : `${artifact} (${on.join(', ')})`, reason];
  });
}

/** `machine-1`, or `machine-1, machine-2 ×2`; where others choose, the machines that are allowed. */
function placesText(unit: PlanUnit, machines: readonly Machine[], placing: Placing): string {
  if (placing === 'Allowed') {
    const names = allowedMachines(unit.placement, machines).map((m) => m.name);
    return names.length > 1 && names.length === machines.length
      ? `any of ${String(names.length)}`
      : names.join(', ');
  }
  const places = spread(unit, unit.instances, machines);
  const names = [...new Set(places)];
  const times = (name: string): number => places.filter((p) => p === name).length;
  return names.map((n) => (times(n) === 1 ? n : `${n} ×${String(times(n))}`)).join(', ') || 'none fits';
}

function channelTable(plan: Plan, colors: Colors): readonly string[] {
  const rows = plan.channels.map(({ from, to, channel, terms }) => [
    edgeText(from, to),
    terms.call,
    viaText(channel),
    reasonOf(plan, 'Channel', edgeText(from, to)),
  ]);
  const columns = [
    { title: 'EDGE' },
    { title: 'CALL' },
    { title: 'CHANNEL', style: colors.cyan },
    { title: 'REASON', style: colors.dim },
  ];
  return table(columns, rows, { title: colors.dim });
}

/** What each reason means, once, with the first decision that has it as the example. */
export function whyLines(plan: Plan, architectures: readonly string[], colors: Colors): readonly string[] {
  const kinds = new Set<Decision['kind']>(['Policy', 'Fusion', 'Runtime', 'Channel']);
  const here = (d: Decision): boolean =>
    d.kind !== 'Runtime' || architectures.some((architecture) => d.about.endsWith(` on ${architecture}`));
  const seen = new Map<string, { readonly decision: Decision; times: number }>();
  for (const decision of plan.decisions.filter((d) => kinds.has(d.kind) && here(d))) {
    const known = seen.get(decision.reason);
    if (known) known.times += 1;
    else seen.set(decision.reason, { decision, times: 1 });
  }
  const width = Math.max(...[...seen.keys()].map((r) => r.length), 0) + 2;
  return [...seen].flatMap(([reason, { decision, times }]) => {
    const example =
      decision.kind === 'Policy'
        ? ''
        : ` (${decision.about}${times > 1 ? ` and ${String(times - 1)} more` : ''})`;
    const lines = hanging(reason.padEnd(width), `${decision.message}${example}`);
    return lines.map((line) =>
      line.startsWith(reason) ? `${colors.dim(reason)}${line.slice(reason.length)}` : line,
    );
  });
}
