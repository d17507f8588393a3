/**
 * A plan in one line each, as `kubectl get workflows` and `kubectl get functions` print it.
 *
 * Owns: the wording. What is zero is not said.
 */
import type { Plan } from '../planner/plan.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** `3 for 9 functions`. */
export function unitsSummary({ units }: Plan): string {
  const functions = units.reduce((n, unit) => n + unit.functions.length, 0);
  return `${units.length} for ${functions} ${functions === 1 ? 'function' : 'functions'}`;
}

const RUNTIMES = { JavaScript: 'js', Wasm: 'wasm', Container: 'container' } as const;

/** `5 js, 3 wasm, 1 container`: functions by what they run as; one that runs as two counts for both. */
export function runtimesSummary({ units }: Plan, { functions }: Snapshot): string {
  const typesOf = (name: string): ReadonlySet<string> => {
    const artifacts = functions.find((fn) => fn.name === name)?.artifacts ?? [];
    const placed = units.flatMap((unit) => unit.variants.flatMap((v) => v.artifacts));
    const names = new Set(placed.filter((p) => p.function === name).map((p) => p.artifact));
    return new Set(artifacts.filter((a) => names.has(a.name)).map((a) => a.type));
  };
  const types = functions.flatMap(({ name }) => [...typesOf(name)]);
  return counted(
    Object.entries(RUNTIMES).map(([type, word]) => [word, types.filter((t) => t === type).length]),
  );
}

const CHANNELS = {
  InProcess: 'in-process',
  Pod: 'pod',
  Node: 'node',
  Remote: 'remote',
  Queue: 'queue',
  LocalQueue: 'local-queue',
} as const;

/** `6 in-process, 2 node, 1 remote`: edges by their channel. */
export const channelsSummary = ({ channels }: Plan): string =>
  counted(
    Object.entries(CHANNELS).map(([kind, word]) => [word, channels.filter((c) => c.channel === kind).length]),
  );

const counted = (counts: readonly (readonly [string, number])[]): string =>
  counts
    .filter(([, n]) => n > 0)
    .map(([word, n]) => `${String(n)} ${word}`)
    .join(', ');
