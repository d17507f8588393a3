import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Refusal } from './exit.ts';
import { planBefore, planNamed, planToApprove } from './plans.ts';
import type { KnownPlan, Plans } from './plans.ts';

const plan = (hash: string, sequence: number, over: Partial<KnownPlan> = {}): KnownPlan => ({
  hash,
  sequence,
  state: 'Retired',
  ...over,
});
const known = (current: string, ...plans: readonly KnownPlan[]): Plans => ({
  workflow: 'ns/wf',
  current,
  plans,
});
const refused = (act: () => unknown, says: RegExp): void => {
  assert.throws(act, (cause) => cause instanceof Refusal && cause.exitCode === 1 && says.test(cause.message));
};

describe('the plan to approve', () => {
  it('is the newest that waits, else the one that is tried', () => {
    const current = plan('a', 1, { state: 'Current' });
    const tried = plan('b', 2, { state: 'Candidate' });
    const waiting = [plan('c', 3, { state: 'Proposed' }), plan('d', 4, { state: 'Proposed' })];
    assert.equal(planToApprove(known('a', current, tried, ...waiting)).hash, 'd');
    assert.equal(planToApprove(known('a', current, tried)).hash, 'b');
  });
  it('is none where none waits: those that there are are named', () => {
    refused(
      () => planToApprove(known('a', plan('a', 2, { state: 'Current' }), plan('b', 1))),
      /^no plan of ns\/wf waits for approval; name the hash of one: there are a \(Current\), b \(Retired\)$/,
    );
    refused(() => planToApprove(known('')), /there is none$/);
  });
  it('may be named', () => {
    assert.equal(planNamed(known('a', plan('a', 1), plan('b', 2)), 'b').sequence, 2);
    refused(
      () => planNamed(known('a', plan('a', 1)), 'x'),
      /^there is no plan 'x' of ns\/wf; there is a \(Retired\)$/,
    );
  });
});

describe('the plan before', () => {
  it('is the one with which the current one was compared', () => {
    const current = plan('c', 5, { state: 'Current', baseline: 'a' });
    assert.equal(planBefore(known('c', plan('a', 1), plan('b', 4), current)).hash, 'a');
  });
  it('is else the newest older one that was not turned down', () => {
    const current = plan('d', 5, { state: 'Current', baseline: 'gone' });
    const others = [plan('a', 1), plan('b', 3), plan('c', 4, { verdict: 'Worse' }), plan('e', 6)];
    assert.equal(planBefore(known('d', ...others, current)).hash, 'b');
  });
  it('is none where there is only one, or what is left only waits', () => {
    const current = plan('a', 2, { state: 'Current' });
    refused(
      () => planBefore(known('a', current)),
      /no plan that ran before a is kept; there is a \(Current\)/,
    );
    refused(
      () => planBefore(known('a', plan('b', 1, { state: 'Proposed' }), current)),
      /no plan that ran before/,
    );
    refused(() => planBefore(known('')), /has no plan yet/);
  });
});
