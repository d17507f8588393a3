/** Roll-outs of one workflow, from what is declared and measured to what runs and is told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { functionManifest, workflowManifest } from '../model/testApplication.ts';
import { Lab } from './testWorkflow.ts';

/** Every function alone, until something better is tried. */
async function tried(lab: Lab): Promise<{ readonly first: string; readonly candidate: string }> {
  await lab.until(() => lab.route?.candidate !== undefined, 60);
  return { first: lab.route?.current ?? '', candidate: lab.route?.candidate ?? '' };
}

describe('a better plan', () => {
  it('is tried beside the one that runs, taken, and told', async () => {
    const lab = new Lab({ factor: 0.7 });
    const { first, candidate } = await tried(lab);
    assert.deepEqual([lab.groups(first), lab.groups(candidate)], [['a', 'b'], ['a+b']]);
    await lab.until(() => lab.route?.weightPercent === 5, 10);
    assert.equal(lab.condition('Ready'), 'True Serving');
    assert.equal(lab.condition('Progressing'), 'True Trying');
    assert.equal(lab.plan(candidate)['state'], 'Candidate');
    await lab.until(() => lab.route?.weightPercent === 50);
    await lab.until(() => lab.route?.current === candidate);
    await lab.pass(15);
    assert.deepEqual(Object.keys(lab.route?.revisions ?? {}), [candidate]);
    assert.deepEqual(
      lab.said.slice(lab.said.indexOf('True Serving')),
      ['True Serving'],
      'it is ready all the time',
    );
    assert.equal(lab.condition('Progressing'), 'False Settled');
    assert.equal(lab.plan(candidate)['state'], 'Current');
    assert.equal(lab.plan(first)['state'], 'Retired');
    const { comparison, gain } = lab.plan(candidate) as {
      readonly gain: string;
      readonly comparison: { readonly verdict: string; readonly baseline: string };
    };
    assert.deepEqual([comparison.verdict, comparison.baseline], ['Better', first]);
    assert.match(gain, /^[23]\d %$/);
    assert.equal(lab.told('Tried').length, 1);
    assert.equal(lab.told('Promoted').length, 1);
  });

  it('goes on over restarts of the operator, to the same end', async () => {
    const lab = new Lab({ factor: 0.7 });
    const { candidate } = await tried(lab);
    for (let i = 0; lab.route?.current !== candidate; i++) {
      assert.ok(i < 600, 'it is never taken');
      if (i % 13 === 0) lab.restart();
      await lab.pass(1);
    }
    assert.equal(lab.told('Tried').length, 1);
    assert.equal(lab.told('Promoted').length, 1);
  });

  it('goes on after a minute without an operator: that is no time in which it did not serve', async () => {
    const lab = new Lab({ factor: 0.7 });
    const { candidate } = await tried(lab);
    for (const share of [5, 20]) {
      await lab.until(() => (lab.route?.weightPercent ?? 0) >= share);
      lab.restart();
      lab.clock.advance(60_000);
      await lab.pass(1);
      assert.equal(lab.route?.candidate, candidate);
      assert.ok((lab.route.weightPercent ?? 0) >= share, 'with the share that it had');
    }
    await lab.until(() => lab.route?.current === candidate);
    assert.deepEqual([lab.told('Tried').length, lab.told('NotTaken').length], [1, 0]);
  });

  it('is taken wherever the operator dies on the way, and nothing is left behind', async () => {
    const story = async (dies: (at: number) => boolean): Promise<readonly [Lab, object]> => {
      const lab = new Lab({ factor: 0.5 });
      lab.dies = dies;
      await lab.until(() => lab.groups(lab.route?.current ?? '').length === 1, 300);
      await lab.pass(20);
      const { current, candidate, draining, revisions = {} } = lab.route ?? {};
      return [
        lab,
        { current, candidate, draining, left: Object.keys(revisions), units: lab.stores.deployments.size },
      ];
    };
    const [whole, end] = await story(() => false);
    const ways = ['Rollout', 'Route', 'Entry', 'WorkflowPlan'];
    const places = whole.points.flatMap((point, i) => (ways.includes(point) ? [i] : []));
    assert.ok(places.length >= 8, whole.points.join());
    for (const place of places)
      assert.deepEqual((await story((at) => at === place))[1], end, `died at ${String(whole.points[place])}`);
  });

  it('waits for a person where the policy says so', async () => {
    const lab = new Lab({ factor: 0.7, policy: { objective: 'Latency', rollout: { mode: 'Manual' } } });
    await lab.pass(60);
    assert.equal(lab.route?.candidate, undefined);
    const offered = lab.stores.plans.list().find((p) => !p.metadata.name.endsWith(lab.route?.current ?? ''));
    const hash = offered?.metadata.name.slice('flow-'.length) ?? '';
    assert.equal(lab.plan(hash)['state'], 'Proposed');
    lab.declare(workflowManifest(['a', 'b'], ['a>b'], { planRef: { hash } }));
    await lab.until(() => lab.route?.current === hash, 10);
    await lab.pass(15);
    assert.equal(lab.condition('Ready'), 'True Serving');
    assert.equal(lab.condition('PlanCurrent'), 'True Current');
    assert.equal(lab.told('Tried').length, 0, 'what a person chose is not tried');
  });
});

describe('a plan that is no better', () => {
  it('is withdrawn, its units end, and it is not tried again', async () => {
    const lab = new Lab({ factor: 1.5 });
    const { first, candidate } = await tried(lab);
    await lab.until(() => lab.route?.candidate === undefined);
    await lab.pass(30);
    assert.equal(lab.route?.current, first);
    assert.deepEqual(Object.keys(lab.route.revisions), [first]);
    assert.equal(lab.stores.deployments.size, 2);
    const { comparison } = lab.plan(candidate) as { readonly comparison: { readonly verdict: string } };
    assert.equal(comparison.verdict, 'Worse');
    await lab.pass(600);
    assert.equal(lab.told('Tried').length, 1);
  });

  it('and fails calls is gone within seconds', async () => {
    const lab = new Lab({ fails: 0.3 });
    await tried(lab);
    await lab.until(() => (lab.route?.weightPercent ?? 0) > 0, 10);
    await lab.until(() => lab.route?.candidate === undefined, 40);
    assert.match(lab.told('CallsFail')[0] ?? '', /more of its calls fail/);
  });

  it('and finds no machine is given up, by its name', async () => {
    const lab = new Lab();
    await lab.pass(1);
    const before = new Set(lab.stores.deployments.list().map((d) => d.metadata.name));
    const { stores } = lab;
    stores.deployments.onChange(({ object }) => {
      const unit = object.metadata.labels?.['sinter.dev/unit'] ?? '';
      if (!before.has(object.metadata.name)) lab.roomless.add(unit);
    });
    await tried(lab);
    await lab.until(() => lab.route?.candidate === undefined, 90);
    assert.match(lab.told('NoRoomForCandidate')[0] ?? '', /no machine has room/);
    assert.equal(lab.condition('Ready'), 'True Serving');
  });
});

describe('a trial', () => {
  it('ends when other code is declared, which is taken by its own', async () => {
    const lab = new Lab({ factor: 0.7 });
    const { first, candidate } = await tried(lab);
    lab.declare(functionManifest('a', { timeoutSeconds: 7 }));
    await lab.until(() => lab.route?.candidate !== candidate, 5);
    await lab.until(() => lab.route?.current !== first, 30);
    assert.notEqual(lab.route?.current, candidate);
    assert.deepEqual(lab.groups(lab.route?.current ?? ''), ['a', 'b']);
  });

  it('ends when the workflow goes, and leaves nothing', async () => {
    const lab = new Lab({ factor: 0.7 });
    await tried(lab);
    await lab.until(() => (lab.route?.weightPercent ?? 0) > 0, 10);
    const { workflow } = lab;
    assert.ok(workflow);
    const metadata = { ...workflow.metadata, deletionTimestamp: '2026-01-01T00:10:00Z' };
    lab.put('workflows', { ...workflow, metadata });
    await lab.until(() => (lab.workflow?.metadata.finalizers ?? []).length === 0, 60);
    assert.equal(lab.stores.deployments.size, 0);
    assert.deepEqual([...lab.kept.keys()], []);
  });
});

describe('other code', () => {
  const other = functionManifest('a', { timeoutSeconds: 7 });

  it('gets its calls bit by bit', async () => {
    const lab = new Lab({ policy: { fusion: { mode: 'Off' } } });
    await lab.pass(5);
    const first = lab.route?.current;
    lab.declare(other);
    const weights = new Set<number | undefined>();
    for (let i = 0; i < 30 && lab.route?.current === first; i++) {
      await lab.pass(1);
      weights.add(lab.route?.weightPercent);
    }
    assert.deepEqual([...weights], [undefined, 5, 20, 50, undefined].slice(0, weights.size));
    assert.notEqual(lab.route?.current, first);
    await lab.pass(15);
    assert.equal(lab.condition('Ready'), 'True Serving');
  });

  it('that fails is held, and says what to do', async () => {
    const lab = new Lab({ fails: 0.5, policy: { fusion: { mode: 'Off' } } });
    await lab.pass(5);
    const first = lab.route?.current;
    lab.declare(other);
    await lab.until(() => lab.condition('Ready') === 'False CallsFail', 30);
    assert.equal(lab.condition('Stalled'), 'True CallsFail');
    await lab.pass(60);
    assert.deepEqual([lab.route?.current, lab.route?.weightPercent], [first, 0]);
    lab.declare(functionManifest('a'));
    await lab.pass(20);
    assert.equal(lab.condition('Ready'), 'True Serving');
    assert.equal(lab.route?.candidate, undefined);
  });

  it('that fails goes where the policy says so', async () => {
    const policy = { fusion: { mode: 'Off' }, rollout: { onRegression: 'Revert' } };
    const lab = new Lab({ fails: 0.5, policy });
    await lab.pass(5);
    const first = lab.route?.current;
    lab.declare(other);
    await lab.until(() => lab.condition('Ready') === 'False CodeWithdrawn', 30);
    await lab.pass(30);
    assert.deepEqual([lab.route?.current, lab.route?.candidate], [first, undefined]);
    assert.equal(lab.stores.deployments.size, 2);
  });
});

describe('a unit that was ended for lack of memory', () => {
  it('has twice as much at once, though nothing better is asked for', async () => {
    const lab = new Lab({ policy: { fusion: { mode: 'Off' } } });
    await lab.pass(20);
    const first = lab.route?.current ?? '';
    const memory = (): readonly unknown[] =>
      lab.stores.plans
        .list()
        .filter((p) => p.metadata.name.endsWith(lab.route?.current ?? ''))
        .flatMap(({ spec }) => (spec as { readonly units: readonly PlannedUnit[] }).units)
        .filter((u) => u.functions.includes('b'))
        .map((u) => u.resources.memory);
    assert.deepEqual(memory(), ['256Mi']);
    lab.kills = 1;
    await lab.until(() => lab.route?.current !== first, 60);
    assert.deepEqual(memory(), ['512Mi']);
    const second = lab.route?.current;
    await lab.pass(60);
    assert.deepEqual([lab.route?.current, lab.route?.candidate], [second, undefined], 'and keeps it');
  });
});

interface PlannedUnit {
  readonly functions: readonly string[];
  readonly resources: { readonly memory: string };
}
