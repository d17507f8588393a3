import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AGAIN_MS, COOL_DOWN_MS, IssuerKeys, Unavailable } from './issuerKeys.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** An issuer whose answers the test gives, and a clock that the test turns. */
function rig() {
  let nowMs = 1_000;
  let version = 0;
  let up = true;
  let fetches = 0;
  let held: PromiseWithResolvers<undefined> | undefined;
  const problems: string[] = [];
  const keys = new IssuerKeys<string>({
    clock: { now: () => nowMs },
    onProblem: (problem) => problems.push(problem),
    fetch: async () => {
      fetches += 1;
      const answer = up ? `v${String(++version)}` : undefined;
      await held?.promise;
      if (answer === undefined) throw new Error('the issuer is down');
      return answer;
    },
  });
  return {
    keys,
    problems,
    fetches: () => fetches,
    pass: (ms: number) => (nowMs += ms),
    goDown: () => (up = false),
    comeUp: () => (up = true),
    hold: () => (held = Promise.withResolvers<undefined>()),
    release: () => {
      held?.resolve(undefined);
      held = undefined;
    },
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('keys of an issuer', () => {
  it('are fetched once for everybody who waits', async () => {
    const t = rig();
    t.hold();
    const asking = Array.from({ length: 50 }, () => t.keys.current());
    t.release();
    assert.deepEqual(new Set(await Promise.all(asking)), new Set(['v1']));
    assert.equal(t.fetches(), 1);
  });

  it('are used without asking for five minutes, then renewed beside their use', async () => {
    const t = rig();
    await t.keys.current();
    t.pass(5 * MINUTE);
    assert.equal(await t.keys.current(), 'v1');
    assert.equal(t.fetches(), 1);
    t.pass(1);
    t.hold();
    assert.equal(await t.keys.current(), 'v1', 'nobody waits for the renewal');
    assert.equal(t.fetches(), 2);
    t.release();
    await settled();
    assert.equal(await t.keys.current(), 'v2');
  });

  it('that are older than ten minutes are not used before the issuer was asked', async () => {
    const t = rig();
    await t.keys.current();
    t.pass(10 * MINUTE + 1);
    assert.equal(await t.keys.current(), 'v2');
  });

  it('stay in use for a day while the issuer is down, and nobody waits for it', async () => {
    const t = rig();
    await t.keys.current();
    t.goDown();
    t.pass(23 * HOUR);
    assert.equal(await t.keys.current(), 'v1');
    t.pass(AGAIN_MS);
    t.hold();
    assert.equal(await t.keys.current(), 'v1', 'not even for the next attempt');
    t.release();
    await settled();
    t.pass(HOUR);
    await assert.rejects(t.keys.current(), Unavailable);
    assert.equal(t.problems.length, 2, 'once, and again after a minute or more');
    assert.match(t.problems[0] ?? '', /the issuer is down; the keys that are known stay in use/);
    assert.match(t.problems.at(-1) ?? '', /nobody comes in by it/);
  });

  it('that were never read open nothing, and the issuer is asked every two seconds at most', async () => {
    const t = rig();
    t.goDown();
    for (let i = 0; i < 100; i++) {
      await assert.rejects(t.keys.current(), Unavailable);
      t.pass(AGAIN_MS / 10);
    }
    assert.equal(t.fetches(), 10);
    assert.equal(t.problems.length, 1);
    t.comeUp();
    t.pass(AGAIN_MS);
    assert.equal(await t.keys.current(), 'v1');
  });
});

describe('a key that is not among them', () => {
  it('is looked for anew, once for all who miss it', async () => {
    const t = rig();
    const known = await t.keys.current();
    t.pass(COOL_DOWN_MS);
    t.hold();
    const asking = Array.from({ length: 50 }, () => t.keys.newerThan(known));
    t.release();
    assert.deepEqual(new Set(await Promise.all(asking)), new Set(['v2']));
    assert.equal(t.fetches(), 2);
  });

  it('is not looked for again within ten seconds, however many come with one', async () => {
    const t = rig();
    let known = await t.keys.current();
    let found = 0;
    for (let i = 0; i < 1_000; i++) {
      const newer = await t.keys.newerThan(known);
      if (newer !== undefined) found += 1;
      known = newer ?? known;
      t.pass(COOL_DOWN_MS / 100);
    }
    assert.equal(t.fetches(), 10, 'a hundred seconds of them');
    assert.equal(found, 9);
  });

  it('that somebody else has found meanwhile is taken from there', async () => {
    const t = rig();
    const known = await t.keys.current();
    t.pass(COOL_DOWN_MS);
    await t.keys.newerThan(known);
    assert.equal(await t.keys.newerThan(known), 'v2');
    assert.equal(t.fetches(), 2);
  });

  it('cannot be told while the issuer is down', async () => {
    const t = rig();
    const known = await t.keys.current();
    t.goDown();
    t.pass(COOL_DOWN_MS);
    for (let i = 0; i < 10; i++) await assert.rejects(t.keys.newerThan(known), Unavailable);
    assert.equal(t.fetches(), 2);
    assert.equal(await t.keys.current(), 'v1', 'the known ones open as before');
    t.comeUp();
    t.pass(AGAIN_MS);
    assert.equal(await t.keys.newerThan(known), 'v2');
  });
});
