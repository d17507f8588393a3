import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machinesOf } from './machines.ts';
import type { NodeLike } from './machines.ts';

const node = (labels: Readonly<Record<string, string>>, spec: NodeLike['spec'] = {}): NodeLike => ({
  metadata: { name: 'm', labels: { 'kubernetes.io/arch': 'amd64', ...labels } },
  spec,
});
const taint = (key: string, effect = 'NoSchedule') => ({ taints: [{ key, effect }] });

const NODES: Readonly<Record<string, readonly [NodeLike, string | undefined]>> = {
  'a Node without a word on its tier is Cloud': [node({}), 'amd64 Cloud'],
  'the architecture is the label’s': [node({ 'kubernetes.io/arch': 'arm64' }), 'arm64 Cloud'],
  'the label of the tier decides': [node({ 'sinter.dev/tier': 'Edge' }), 'amd64 Edge'],
  'also against the role': [
    node({ 'sinter.dev/tier': 'Cloud', 'node-role.kubernetes.io/edge': '' }),
    'amd64 Cloud',
  ],
  'the role makes an edge, whatever its value': [node({ 'node-role.kubernetes.io/edge': '' }), 'amd64 Edge'],
  'a tier that is none counts as not said': [node({ 'sinter.dev/tier': 'edge' }), 'amd64 Cloud'],
  'one that is kept for the control plane is none': [
    node({}, taint('node-role.kubernetes.io/control-plane')),
    undefined,
  ],
  'one that prefers other work is one': [
    node({}, taint('node-role.kubernetes.io/control-plane', 'PreferNoSchedule')),
    'amd64 Cloud',
  ],
  'one that is cut off stays one': [
    node({}, taint('node.kubernetes.io/unreachable', 'NoExecute')),
    'amd64 Cloud',
  ],
  'one with another system than Linux is none': [node({ 'kubernetes.io/os': 'windows' }), undefined],
  'one without an architecture is none yet': [{ metadata: { name: 'm' } }, undefined],
  'one that is going away is none': [
    {
      metadata: {
        name: 'm',
        labels: { 'kubernetes.io/arch': 'amd64' },
        deletionTimestamp: '2026-01-01T00:00:00Z',
      },
    },
    undefined,
  ],
};

for (const [sentence, [given, expected]] of Object.entries(NODES)) {
  test(sentence, () => {
    const [machine] = machinesOf([given]);
    assert.equal(machine && `${machine.architecture} ${machine.tier}`, expected);
  });
}

test('machines come by name', () => {
  const named = (name: string): NodeLike => ({
    metadata: { name, labels: { 'kubernetes.io/arch': 'amd64' } },
  });
  assert.deepEqual(
    machinesOf(['b', 'c', 'a'].map(named)).map((m) => m.name),
    ['a', 'b', 'c'],
  );
});

test('what pods may have of a machine is known where its Node says so', () => {
  const [told] = machinesOf([{ ...node({}), status: { allocatable: { cpu: '3920m', memory: '1Gi' } } }]);
  assert.deepEqual([told?.cpuMillis, told?.memoryBytes], [3920, 2 ** 30]);
  const [untold] = machinesOf([node({})]);
  assert.deepEqual(Object.keys(untold ?? {}), ['name', 'architecture', 'tier']);
});
