/** Plans compete under weights (D3): shares as the route tells, one revision per call, and no call lost on the way. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { drawRevision } from '@sinter/contract';
import type { Observation, RouteRecord } from '@sinter/contract';
import { listenToInstances } from '../../../operator/src/bus/listen.ts';
import type { Gateway } from '../src/index.ts';
import { JSON_HEADERS, ask, entry, route, startRig, trigger, until } from './rig.ts';
import type { Answered, Rig } from './rig.ts';

const TRIGGERS = ['echo', 'slow', 'fail', 'later'].map((to) => trigger({ name: to, to, path: `/${to}` }));
const UNDER = { r1: route().revisions['r1'], r2: route().revisions['r1'] } as RouteRecord['revisions'];

const revisionOf = (a: Answered): string => String(a.headers['sinter-revision']);
const callIdOf = (a: Answered): string => String(a.headers['sinter-call-id']);
const failures = (answers: readonly Answered[]): readonly string[] =>
  answers.filter((a) => a.status !== 200).map((a) => a.body.toString());

describe('a candidate beside the current plan', () => {
  let rig: Rig;
  let gateways: readonly Gateway[];
  let generation = 0;
  let told: RouteRecord;
  const observations: Observation[] = [];

  before(async () => {
    rig = await startRig();
    await tell({});
    await rig.putEntry(entry({ triggers: TRIGGERS }));
    listenToInstances(rig.nc, {
      onAnnouncement: () => undefined,
      onObservation: (o) => observations.push(o),
    });
    gateways = [await rig.startGateway(), await rig.startGateway({ instance: 'g2' })];
  });
  after(() => rig.stop());

  const tell = async (over: Partial<RouteRecord>): Promise<void> => {
    generation += 1;
    told = route({ generation, revisions: UNDER, ...over });
    await rig.putRoute(told);
  };
  /** Tells, and waits until both gateways go by it. */
  const change = async (over: Partial<RouteRecord>): Promise<void> => {
    await tell(over);
    await until('both gateways go by it', () =>
      ['g1', 'g2'].every((g) =>
        observations.some((o) => o.instance === g && o.routeGeneration === generation),
      ),
    );
  };
  const trying = (weightPercent: number): Partial<RouteRecord> => ({ candidate: 'r2', weightPercent });
  const call = (i: number, path = '/echo', body = '1'): Promise<Answered> =>
    ask(gateways[i % 2] as Gateway, path, { headers: JSON_HEADERS, body });
  const calls = async (n: number): Promise<readonly Answered[]> => {
    const answers: Answered[] = [];
    for (let i = 0; i < n; i += 20)
      answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, k) => call(i + k)))));
    return answers;
  };
  const fellBack = (): number =>
    observations
      .flatMap((o) => o.entries ?? [])
      .filter((e) => e.revision === 'r2')
      .reduce((n, e) => n + e.fellBack, 0);

  it('gets what its weight says, each call by its id, at every gateway, from 0 over 50 % to promoted', async (t) => {
    const units = [await rig.startUnit(['r1']), await rig.startUnit(['r2'], { instance: 'i2' })];
    const answers: Promise<Answered>[] = [];
    const timer = setInterval(() => answers.push(call(answers.length, '/slow', '{"ms":300}')), 10);
    t.after(() => {
      clearInterval(timer);
    });
    for (const percent of [0, 5, 20, 50, 0, 50]) {
      await change(trying(percent));
      const asked = await calls(400);
      assert.deepEqual(failures(asked), []);
      for (const a of asked) assert.equal(revisionOf(a), drawRevision(told, callIdOf(a)));
      const share = asked.filter((a) => revisionOf(a) === 'r2').length / asked.length;
      const noise = 5 * Math.sqrt(((percent / 100) * (1 - percent / 100)) / asked.length);
      assert.ok(Math.abs(share - percent / 100) <= noise, `${String(share)} at ${String(percent)} %`);
    }
    await change({ current: 'r2', draining: ['r1'] });
    assert.deepEqual(new Set((await calls(100)).map(revisionOf)), new Set(['r2']));
    clearInterval(timer);
    const slow = await Promise.all(answers);
    assert.ok(slow.length > 50, 'there was load all the time');
    assert.deepEqual(failures(slow), []);
    const seen = units.flatMap((unit) => unit.seen.map((s) => s.call.head));
    const ids = new Set(seen.map((head) => head.callId));
    assert.equal(ids.size, seen.length, 'each call ran once');
    assert.ok(units.every((unit, i) => unit.seen.every((s) => s.call.head.revision === `r${String(i + 1)}`)));
    assert.equal(fellBack(), 0);
    for (const unit of units) await unit.stop();
  });

  it('without a live instance loses no call: they fall back, and that is counted against it', async () => {
    const current = await rig.startUnit(['r1']);
    await change(trying(100));
    const before = fellBack();
    const answers = await calls(100);
    assert.deepEqual(failures(answers), []);
    assert.deepEqual(new Set(answers.map(revisionOf)), new Set(['r1']));
    await until('they are counted', () => fellBack() - before === 100);
    await until('no root is left under it', () =>
      ['g1', 'g2'].every((g) => observations.findLast((o) => o.instance === g)?.roots['r2'] === 0),
    );
    await current.stop();
  });

  it('that ends under load loses no call, and none runs twice', async (t) => {
    const current = await rig.startUnit(['r1']);
    const candidate = await rig.startUnit(['r2'], { instance: 'i2' });
    await change(trying(50));
    const answers: Promise<Answered>[] = [];
    const timer = setInterval(() => answers.push(call(answers.length, '/slow', '{"ms":200}')), 5);
    t.after(() => {
      clearInterval(timer);
    });
    const before = fellBack();
    await until('both run calls', () => candidate.intake.running > 5 && current.intake.running > 5);
    await candidate.serve([]);
    await until('calls fall back', () => fellBack() - before > 5);
    clearInterval(timer);
    const all = await Promise.all(answers);
    assert.deepEqual(failures(all), []);
    const ran = [...current.seen, ...candidate.seen].map((s) => s.call.head.callId);
    assert.equal(new Set(ran).size, ran.length);
    assert.equal(ran.length, all.length);
    for (const unit of [candidate, current]) await unit.stop();
  });

  it('that fails a call fails it: what ran is not run again elsewhere', async () => {
    const units = [await rig.startUnit(['r1']), await rig.startUnit(['r2'], { instance: 'i2' })];
    await change(trying(100));
    const failed = await call(0, '/fail', 'null');
    assert.equal(failed.status, 500);
    assert.deepEqual(
      units.map((unit) => unit.seen.length),
      [0, 1],
    );
    for (const unit of units) await unit.stop();
  });

  it('that does not serve a function takes no share of its calls, and counts no fallback', async () => {
    const unit = await rig.startUnit(['r1']);
    await change({ ...trying(100), revisions: { ...UNDER, r2: { units: [], edges: [] } } });
    const before = fellBack();
    const answers = await calls(40);
    assert.deepEqual(failures(answers), []);
    assert.deepEqual(new Set(answers.map(revisionOf)), new Set(['r1']));
    await change({});
    assert.equal(fellBack(), before);
    await unit.stop();
  });

  it('is not drawn for async calls: the unit that pulls one runs it under a revision of its own', async () => {
    const unit = await rig.startUnit(['r1']);
    await change(trying(100));
    const answer = await ask(gateways[0] as Gateway, '/later', { headers: { prefer: 'respond-async' } });
    assert.equal(answer.status, 202);
    unit.pull();
    const run = await until('it runs', () => unit.seen.find((s) => s.fn === 'later'));
    assert.equal(run.call.head.revision, 'r1');
    await unit.stop();
  });
});
