/** Which of several facts becomes the reason, and that a second look writes the same. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Condition } from '@sinter/crds';
import type { Finding } from '../model/finding.ts';
import { workflowEvents } from './workflowEvents.ts';
import { workflowStatus } from './workflowStatus.ts';
import type { WorkflowFacts } from './workflowStatus.ts';

const RUNS = {
  current: 'aaaaaaaaaa',
  serves: false,
  draining: [],
  waiting: [],
  down: [],
  ending: [],
  settled: true,
};
const GOOD = { ready: true, findings: [] };
const AWAY = {
  ready: false,
  findings: [{ reason: 'BusUnavailable' as const, severity: 'Error' as const, message: 'nobody answers' }],
};
const finding = (severity: Finding['severity'], reason: string, kind = 'Workflow'): Finding => ({
  severity,
  reason,
  object: { kind, namespace: 'ns', name: 'x' },
  field: 'spec',
  given: '',
  message: `spec: ${reason}`,
});

const facts = (more: Partial<WorkflowFacts> = {}): WorkflowFacts => ({
  workflow: undefined,
  generation: 3,
  deleting: false,
  findings: [],
  planned: 'aaaaaaaaaa',
  bus: GOOD,
  rollout: RUNS,
  unreadableKeys: [],
  summary: undefined,
  gatewayUrl: '',
  before: [],
  statusBefore: {},
  now: '2026-01-01T00:00:00Z',
  ...more,
});

const conditions = (more: Partial<WorkflowFacts> = {}): readonly Condition[] =>
  (workflowStatus(facts(more)) as { readonly conditions: readonly Condition[] }).conditions;
const one = (type: string, more: Partial<WorkflowFacts> = {}): string => {
  const found = conditions(more).find((c) => c.type === type);
  return found ? `${found.status} ${found.reason}` : 'absent';
};
const late = (reason?: string) => ({
  unit: 'u',
  serving: 0,
  desired: 1,
  ...(reason === undefined ? {} : { problem: { reason, message: 'why' } }),
});

describe('Ready', () => {
  const ROWS: Readonly<Record<string, readonly [Partial<WorkflowFacts>, string]>> = {
    'all serve': [{}, 'True Serving'],
    'it is deleted, whatever else': [
      { deleting: true, findings: [finding('Error', 'SyncCycle')] },
      'False Terminating',
    ],
    'an object is wrong, though the old plan runs': [
      { findings: [finding('Error', 'SyncCycle')] },
      'False SyncCycle',
    ],
    'a Notice is none': [{ findings: [finding('Notice', 'NotYet')] }, 'True Serving'],
    'the API server refuses': [{ failure: { reason: 'QuotaExceeded', message: 'm' } }, 'False QuotaExceeded'],
    'a candidate starts': [
      { planned: 'b', rollout: { ...RUNS, candidate: 'b', waiting: [late()], settled: false } },
      'False RollingOut',
    ],
    'a candidate does not come up': [
      {
        planned: 'b',
        rollout: { ...RUNS, candidate: 'b', waiting: [late(), late('ImagePullBackOff')], settled: false },
      },
      'False ImagePullBackOff',
    ],
    'a better plan is tried, and does not come up': [
      { rollout: { ...RUNS, candidate: 'b', waiting: [late('ImagePullBackOff')], settled: false } },
      'True Serving',
    ],
    'a better plan takes over': [
      { rollout: { ...RUNS, candidate: 'b', weightPercent: 50, settled: false } },
      'True Serving',
    ],
    'a unit starts': [{ rollout: { ...RUNS, down: [late()] } }, 'False UnitsStarting'],
    'a unit is down for a reason': [
      { rollout: { ...RUNS, down: [late('Unschedulable')] } },
      'False Unschedulable',
    ],
    'the bus is away at first': [{ rollout: undefined, bus: AWAY }, 'Unknown BusUnavailable'],
  };
  for (const [what, [more, says]] of Object.entries(ROWS))
    it(`${says} when ${what}`, () => {
      assert.equal(one('Ready', more), says);
    });

  it('stays what it was while the bus is away, but for a newer generation', () => {
    const before = conditions();
    const away = { rollout: undefined, bus: AWAY, before };
    assert.equal(one('Ready', away), 'True Serving');
    assert.equal(one('BusReady', away), 'False BusUnavailable');
    assert.equal(one('Ready', { ...away, generation: 4 }), 'Unknown BusUnavailable');
  });
});

describe('the other conditions', () => {
  it('tell what kstatus reads, only while it is true', () => {
    assert.equal(one('Stalled'), 'absent');
    assert.equal(one('Reconciling'), 'absent');
    assert.equal(one('Stalled', { findings: [finding('Error', 'SyncCycle')] }), 'True SyncCycle');
    assert.equal(one('Reconciling', { rollout: { ...RUNS, down: [late()] } }), 'True UnitsStarting');
    assert.equal(
      one('Stalled', { planned: 'b', rollout: { ...RUNS, candidate: 'b', waiting: [late('UnitFailed')] } }),
      'True UnitFailed',
    );
    const takesOver = { rollout: { ...RUNS, candidate: 'b', weightPercent: 50, settled: false } };
    assert.equal(one('Progressing', takesOver), 'True RollingOut');
  });

  it('tell what comes later, what is pinned, and what may not be read', () => {
    assert.equal(one('NotYet', { findings: [finding('Notice', 'NotYet')] }), 'True NotYet');
    assert.equal(one('NotYet'), 'absent');
    assert.equal(one('PlanCurrent', { findings: [finding('Notice', 'PlanPinned')] }), 'False PlanPinned');
    assert.equal(one('KeysReadable', { unreadableKeys: ['grant it'] }), 'False KeySecretNotReadable');
  });

  it('keep their time as long as their status does, and a second look writes the same', () => {
    const before = conditions();
    const later = { before, now: '2026-01-02T00:00:00Z' };
    assert.deepEqual(conditions(later), before);
    const flipped = conditions({ ...later, rollout: { ...RUNS, down: [late()] } });
    assert.equal(flipped.find((c) => c.type === 'Ready')?.lastTransitionTime, '2026-01-02T00:00:00Z');
    assert.equal(flipped.find((c) => c.type === 'BusReady')?.lastTransitionTime, '2026-01-01T00:00:00Z');
  });
});

it('no plan is no field, rather than an empty one', () => {
  assert.equal('plan' in workflowStatus(facts({ rollout: { ...RUNS, current: '' } })), false);
  assert.deepEqual(
    (
      workflowStatus(facts({ rollout: undefined, statusBefore: { plan: { current: 'x' } } })) as {
        plan: object;
      }
    ).plan,
    { current: 'x' },
  );
});

describe('a credential that cannot be renewed', () => {
  const notRenewed = [{ reason: 'Forbidden', message: 'unit u: no' }];

  it('is a condition of its own, and no reason not to be ready', () => {
    const found = conditions({ notRenewed }).find((c) => c.type === 'CredentialsRenewed');
    assert.equal(found?.status, 'False');
    assert.equal(found.reason, 'Forbidden');
    assert.match(found.message, /not renewed: unit u: no/);
    assert.equal(one('Ready', { notRenewed }), 'True Serving');
    assert.equal(one('CredentialsRenewed'), 'absent');
  });

  it('is told once by an event', () => {
    const [before, after] = [conditions(), conditions({ notRenewed })];
    const workflow = { apiVersion: 'sinter.dev/v1alpha1', kind: 'Workflow', metadata: { name: 'w' } };
    const told = workflowEvents(workflow, before, after);
    assert.deepEqual(
      told.map((e) => [e.type, e.reason]),
      [['Warning', 'Forbidden']],
    );
    assert.deepEqual(workflowEvents(workflow, after, after), []);
  });
});
