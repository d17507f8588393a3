import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Architecture, Tier } from '../model/nouns.ts';
import { machineOf } from '../snapshot/machines.ts';
import type { NodeAffinity, NodeSelectorRequirement } from './kubernetes.ts';
import { nodeAffinity, tolerationsOf } from './scheduling.ts';

type Labels = Readonly<Record<string, string>>;

/** As the scheduler reads a requirement: NotIn holds for a Node without the label. */
function holds({ key, operator, values = [] }: NodeSelectorRequirement, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

const matches = (affinity: NodeAffinity, labels: Labels): boolean =>
  affinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.some((term) =>
    term.matchExpressions.every((requirement) => holds(requirement, labels)),
  );

/** Every combination of one value (or none) for each label. */
function combinations(of: Readonly<Record<string, readonly (string | undefined)[]>>): readonly Labels[] {
  return Object.entries(of).reduce<readonly Labels[]>(
    (all, [key, values]) =>
      all.flatMap((labels) =>
        values.map((value) => (value === undefined ? labels : { ...labels, [key]: value })),
      ),
    [{}],
  );
}

const NODES = combinations({
  'kubernetes.io/arch': [undefined, 'amd64', 'arm64', 'riscv64'],
  'kubernetes.io/os': [undefined, 'linux', 'windows'],
  'sinter.dev/tier': [undefined, '', 'Edge', 'Cloud', 'edge'],
  'node-role.kubernetes.io/edge': [undefined, '', 'true'],
});

test('a pod may go exactly where the planner sees a machine of the tier and architecture', () => {
  const tiers: readonly (readonly Tier[])[] = [['Edge'], ['Cloud'], ['Cloud', 'Edge']];
  const architectures: readonly (readonly Architecture[])[] = [['amd64'], ['amd64', 'arm64']];
  for (const t of tiers)
    for (const a of architectures)
      for (const labels of NODES) {
        const machine = machineOf({ metadata: { name: 'm', labels } });
        const allowed =
          machine !== undefined && t.includes(machine.tier) && a.some((one) => one === machine.architecture);
        assert.equal(
          matches(nodeAffinity(t, a), labels),
          allowed,
          `${t.join()} ${a.join()} ${JSON.stringify(labels)}`,
        );
      }
});

test('only a unit that is at home at the edge alone stays on a machine that is lost', () => {
  const forever = (tiers: readonly Tier[]): boolean =>
    tolerationsOf(tiers).some(
      (t) => t.key === 'node.kubernetes.io/unreachable' && t.tolerationSeconds === undefined,
    );
  assert.deepEqual(
    [['Edge'], ['Cloud', 'Edge'], ['Cloud']].map((t) => forever(t as Tier[])),
    [true, false, false],
  );
});

test('the taint of the edge role is borne where Edge is allowed', () => {
  const bears = (tiers: readonly Tier[]): boolean =>
    tolerationsOf(tiers).some((t) => t.key === 'node-role.kubernetes.io/edge');
  assert.deepEqual(
    [['Edge'], ['Cloud', 'Edge'], ['Cloud']].map((t) => bears(t as Tier[])),
    [true, true, false],
  );
});
