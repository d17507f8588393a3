import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROVISIONER, STORAGE_CLASS, decide } from './decide.ts';
import type { Claim, Volume } from './decide.ts';

const claim = (over: Partial<Claim['metadata']> = {}, spec: Partial<Claim['spec']> = {}): Claim => ({
  metadata: {
    namespace: 'ns',
    name: 'data',
    uid: 'u1',
    annotations: { 'volume.kubernetes.io/selected-node': 'n2' },
    ...over,
  },
  spec: { storageClassName: STORAGE_CLASS, resources: { requests: { storage: '2Gi' } }, ...spec },
});

const volume = (phase: string, by = PROVISIONER): Volume => ({
  metadata: { name: 'testbed-u1', annotations: { 'pv.kubernetes.io/provisioned-by': by } },
  spec: { local: { path: '/var/lib/testbed-volumes/testbed-u1' } },
  status: { phase },
});

describe('volumes of the testbed', () => {
  it('a claim gets one on the machine that was chosen for its pod', () => {
    const { make, drop } = decide([claim()], []);
    assert.deepEqual(drop, []);
    assert.deepEqual(
      make.map((m) => [m.machine, m.path]),
      [['n2', '/var/lib/testbed-volumes/testbed-u1']],
    );
    assert.match(JSON.stringify(make[0]?.object), /"storage":"2Gi".*"uid":"u1".*"values":\["n2"\]/);
  });

  const none: Readonly<Record<string, Claim>> = {
    'for which no machine is chosen yet': claim({ annotations: {} }),
    'whose machine is none of ours': claim({
      annotations: { 'volume.kubernetes.io/selected-node': 'other' },
    }),
    'of another class': claim({}, { storageClassName: 'other' }),
    'that is bound': claim({}, { volumeName: 'there' }),
    'that is being deleted': claim({ deletionTimestamp: '2026-01-01T00:00:00Z' }),
  };
  for (const [which, given] of Object.entries(none))
    it(`a claim ${which} gets none`, () => {
      assert.deepEqual(decide([given], []).make, []);
    });

  it('a claim gets no second one', () => {
    assert.deepEqual(decide([claim()], [volume('Available')]).make, []);
  });

  it('one whose claim is gone is taken away, others stay', () => {
    assert.deepEqual(
      decide([], [volume('Released')]).drop.map((d) => d.name),
      ['testbed-u1'],
    );
    assert.deepEqual(decide([], [volume('Bound'), volume('Released', 'other')]).drop, []);
  });
});
