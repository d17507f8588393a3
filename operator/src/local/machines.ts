/**
 * The machines that a run pretends to have: names, tiers and architecture. A plan that is made without a run goes by the
 * same ones, so that both come to the same hash.
 */
import type { Machine } from '../model/nouns.ts';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export const thisArchitecture = (): string => ARCHITECTURES[process.arch] ?? process.arch;

/** `machines` as in `--machines`: 0 is the hub alone, which is one machine too. Machine 1 is Cloud, the others Edge. */
export const localMachines = (machines: number): readonly Machine[] =>
  Array.from({ length: Math.max(1, machines) }, (_, i) => ({
    name: `machine-${String(i + 1)}`,
    architecture: thisArchitecture(),
    tier: i === 0 ? 'Cloud' : 'Edge',
  }));
