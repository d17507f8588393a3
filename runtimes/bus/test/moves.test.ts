/** Interest that comes and goes, and links that are replaced: no call is lost by either (D2, D3, D17). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Outcome } from '@sinter/contract';
import { SHUT_OUT_MS } from '../src/index.ts';
import { REVISION, codeOf, latch, pause, sharedBus, textOf, until } from './rig.ts';

const shared = sharedBus({ machines: ['leaf'] });
before(shared.start);
after(shared.stop);
const { world } = shared;
const never = new AbortController().signal;

/** Calls without a pause, from several at once, until told to stop; gives what came out. */
function load(call: () => Promise<Outcome>, width: number) {
  const codes = new Map<string, number>();
  let on = true;
  const running = Array.from({ length: width }, async () => {
    while (on) {
      const code = codeOf(await call());
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  });
  return {
    codes,
    count: (): number => [...codes.values()].reduce((a, b) => a + b, 0),
    stop: async (): Promise<Record<string, number>> => {
      on = false;
      await Promise.all(running);
      return Object.fromEntries(codes);
    },
  };
}

describe('interest', { concurrency: 2 }, () => {
  it(
    'is dropped by an instance that is full and renewed when it has room',
    world(async (t) => {
      const a = await t.callee('a', (c) => c.payload, { concurrency: 2 });
      const b = await t.callee('b', (c) => c.payload, { concurrency: 64 });
      const { call } = await t.caller();
      for (let i = 0; i < 3; i++) void a.gate.enter(never);
      assert.equal(a.gate.full, true);
      await a.session.link.flush();
      await Promise.all(Array.from({ length: 100 }, () => call()));
      assert.deepEqual([a.seen.length, b.seen.length], [0, 100]);
      a.gate.leave();
      a.gate.leave();
      await a.session.link.flush();
      for (let i = 0; i < 100; i++) await call();
      assert.ok(a.seen.length > 10, `${String(a.seen.length)} of 100 went to the one that has room again`);
    }),
  );

  it(
    'that nobody has because all are full makes calls wait for room, not fail',
    world(async (t) => {
      const gate = latch();
      await t.callee(
        'a',
        async (c) => {
          await gate.opened;
          return c.payload;
        },
        { concurrency: 2 },
      );
      const { call } = await t.caller();
      const first = [call('1'), call('2'), call('3')];
      await pause(30);
      const late = call('late');
      const short = call('short', { timeoutMs: 100 });
      assert.equal(codeOf(await short), 'Overloaded');
      gate.open();
      assert.equal(textOf(await late), 'late');
      assert.deepEqual((await Promise.all(first)).map(textOf), ['1', '2', '3']);
    }),
  );

  it(
    'changes at most twenty times a second, and still ends where it should',
    world(async (t) => {
      const a = await t.callee('a', (c) => c.payload, { concurrency: 1 });
      const { call } = await t.caller();
      for (let i = 0; i < 60; i++) {
        void a.gate.enter(never);
        void a.gate.enter(never);
        a.gate.leave();
        a.gate.leave();
      }
      assert.ok(a.listener.counters.changes <= 20, String(a.listener.counters.changes));
      assert.equal(a.gate.load, 0);
      assert.equal(textOf(await call('x', { timeoutMs: 3_000 })), 'x');
    }),
  );

  it(
    'that moves between two instances loses none of 2,000 calls and runs none twice',
    world(async (t) => {
      const [a, b] = [await t.callee('a', (c) => c.payload), await t.callee('b', (c) => c.payload)];
      const { call, caller } = await t.caller();
      let left = 2_000;
      const codes: string[] = [];
      const callers = Array.from({ length: 16 }, async () => {
        while (left-- > 0) codes.push(codeOf(await call()));
      });
      let changes = 0;
      const change = (async () => {
        for (let on = false; left > 0; on = !on) {
          await a.serve(on);
          await a.session.link.flush();
          await b.serve(!on);
          await b.session.link.flush();
          changes += 1;
        }
      })();
      await Promise.all([...callers, change]);
      assert.deepEqual([...new Set(codes)], ['ok']);
      assert.equal(codes.length, 2_000);
      assert.ok(changes > 10, String(changes));
      // A resend runs again only where it reaches the other instance.
      const { resends } = caller.counters;
      const again = a.seen.length + b.seen.length - 2_000;
      assert.ok(
        again >= 0 && again <= resends,
        `${String(again)} ran again, ${String(resends)} were sent again`,
      );
      assert.equal(new Set([...a.seen, ...b.seen]).size, 2_000);
    }),
  );

  it(
    'that was given up for good is not taken up again',
    world(async (t) => {
      const a = await t.callee('a', (c) => c.payload);
      await a.listener.stop();
      await a.serve();
      await a.session.link.flush();
      const { call } = await t.caller();
      assert.equal(codeOf(await call('x', { timeoutMs: 60 })), 'Overloaded');
      assert.deepEqual(a.listener.revisions, []);
    }),
  );
});

describe('a link that is replaced', () => {
  it(
    'by one with a renewed credential loses no call, on either side',
    world(async (t) => {
      const a = await t.callee('a', async (c) => {
        await pause(Math.random() * 20);
        return c.payload;
      });
      const { call, session, renewed } = await t.caller();
      const calls = load(() => call(), 20);
      await until('there is load', () => calls.count() > 100);
      await Promise.all([session.renew(renewed()), a.session.renew(a.renewed())]);
      const after = calls.count();
      await until('calls go on', () => calls.count() > after + 200);
      await a.session.renew(a.renewed());
      const codes = await calls.stop();
      assert.deepEqual(Object.keys(codes), ['ok'], JSON.stringify(codes));
      assert.equal(new Set(a.seen).size, a.seen.length, 'none ran twice');
      assert.deepEqual(t.problems, []);
    }),
  );

  it(
    'is closed only when the calls that began on it have ended',
    world(async (t) => {
      const gate = latch();
      const a = await t.callee('a', async (c) => {
        await gate.opened;
        return c.payload;
      });
      const { call, session, renewed } = await t.caller();
      const old = [session.link, a.session.link];
      const outcome = call('long');
      await until('it runs', () => a.seen.length === 1);
      await Promise.all([session.renew(renewed()), a.session.renew(a.renewed())]);
      await pause(150);
      assert.deepEqual(
        old.map((l) => l.up),
        [true, true],
      );
      gate.open();
      assert.equal(textOf(await outcome), 'long');
      await until('the old links are closed', () => old.every((l) => l.closed));
    }),
  );

  it(
    'by nothing, because the new credential is refused, stays in use, and can be renewed later',
    world(async (t) => {
      await t.callee('a', (c) => c.payload);
      const { call, session, renewed } = await t.caller();
      const { link } = session;
      const forged = renewed().replace(/[^.]+$/, 'AAAA');
      await assert.rejects(session.renew(forged));
      assert.equal(session.link, link);
      assert.equal(textOf(await call('x')), 'x');
      await session.renew(renewed());
      assert.notEqual(session.link, link);
      assert.equal(textOf(await call('y')), 'y');
    }),
  );

  it(
    'is not, for what is no credential of its own key: that costs no connection',
    world(async (t) => {
      const { session, renewed } = await t.caller();
      const { renewed: foreign } = await t.callee('a', (c) => c.payload);
      const { link } = session;
      for (const jwt of ['', 'no.such.token', 'bm90', foreign()])
        for (let i = 0; i < 250; i++) await assert.rejects(session.renew(jwt), /not for the key/);
      await session.renew(renewed());
      assert.notEqual(session.link, link);
      assert.match(session.link.inbox, /\.1$/, 'it is the second link that was ever opened');
    }),
  );

  it(
    'is not, for the credential that it has already: that may be told again',
    world(async (t) => {
      const { session, renewed } = await t.caller();
      const jwt = renewed();
      await Promise.all([session.renew(jwt), session.renew(jwt)]);
      const { link } = session;
      await session.renew(jwt);
      assert.equal(session.link, link);
      assert.match(link.inbox, /\.1$/, 'it is the second link that was ever opened');
    }),
  );

  it(
    'brings the answers that are awaited over it',
    world(async (t) => {
      const { session, renewed } = await t.caller();
      const asked = latch();
      const gate = latch();
      await t.rawCallee((msg) => {
        asked.open();
        void gate.opened.then(() => msg.respond('late'));
      });
      const { link } = session;
      const subject = `fn.${t.w.namespace}.${t.w.workflow}.${REVISION}.fn`;
      const answer = link.request(subject, new Uint8Array(0), 5_000);
      await asked.opened;
      await session.renew(renewed());
      await pause(100);
      assert.deepEqual([session.link === link, link.up], [false, true]);
      gate.open();
      assert.equal((await answer).string(), 'late');
      await until('the old link is closed', () => link.closed);
    }),
  );

  it(
    'is not, when the session is closed meanwhile',
    world(async (t) => {
      const { session, renewed } = await t.caller();
      const moving = session.renew(renewed());
      await session.close();
      await moving;
      assert.equal(session.link.closed, true);
    }),
  );

  it(
    'goes to the hub when the leaf is lost and back when it is there, as often as it takes',
    world(async (t, bus) => {
      await t.callee('a', (c) => c.payload, { at: ['hub'] });
      const { call, session } = await t.caller('c1', ['leaf', 'hub']);
      const at = (name: string): boolean => bus.urlOf(name).endsWith(session.link.server);
      assert.ok(at('leaf'));
      for (let i = 0; i < 2; i++) {
        await bus.servers.kill('leaf');
        await until('it is at the hub', () => session.link.up && at('hub'));
        assert.equal(textOf(await call('by the hub')), 'by the hub');
        const { link } = session;
        await assert.rejects(session.nearest());
        assert.equal(session.link, link, 'no nearer server is there: nothing changes');
        await bus.servers.restart('leaf');
        await session.nearest();
        assert.ok(at('leaf'));
        assert.equal(textOf(await call('by the leaf')), 'by the leaf');
      }
      const { link } = session;
      await session.nearest();
      assert.equal(session.link, link, 'it is at the nearest already');
    }),
  );
});

describe('a process whose credential ends', () => {
  const BRIEF_MS = 3_000;

  it(
    'is told once that it is shut out',
    world(async (t) => {
      const told: string[] = [];
      const { session } = await t.briefly(BRIEF_MS, told);
      assert.equal(typeof session.credentialEndsAtMs, 'number');
      await until('it is told', () => told.length > 0);
      assert.match(told[0] ?? '', /ended at \d{4}-/);
      await pause(1_000);
      assert.equal(told.length, 1);
    }),
  );

  it(
    'is not, when it was renewed before',
    world(async (t) => {
      const told: string[] = [];
      const { session, renewed } = await t.briefly(BRIEF_MS, told);
      const { link } = session;
      await session.renew(renewed(60_000));
      await until('the old link is closed', () => link.closed);
      await pause(BRIEF_MS + 1_000);
      assert.deepEqual([told, session.link.up], [[], true]);
    }),
  );

  it(
    'refused before its end, by its own clock, is told only after a minute of refusals',
    world(async (t) => {
      const told: string[] = [];
      let aheadMs = -3_600_000;
      const { session } = await t.briefly(BRIEF_MS, told, () => Date.now() + aheadMs);
      const refusals: number[] = [];
      session.link.onRefused(() => refusals.push(1));
      await until('it was refused', () => refusals.length > 3);
      await pause(2_000); // in the second in which it ends a server may still let it in
      assert.deepEqual([told, session.link.up], [[], false]);
      aheadMs += SHUT_OUT_MS;
      await until('it is told', () => told.length > 0);
      assert.match(told.join('\n'), /refused/);
    }),
  );
});

describe('a process whose server is away', () => {
  it(
    'is not shut out, however long that takes, though its credential may have ended by its clock',
    world(async (t, bus) => {
      const told: string[] = [];
      const { session } = await t.briefly(60_000, told, () => Date.now() + 3_600_000);
      await bus.servers.kill('hub');
      await until('it is down', () => !session.link.up);
      await pause(1_000);
      assert.deepEqual(told, []);
      await bus.servers.restart('hub');
      await until('it is up', () => session.link.up);
      assert.deepEqual(told, []);
    }),
  );
});

describe('a call through a leaf', () => {
  it(
    'is served at the leaf while somebody is there and has room, else through the hub',
    world(async (t) => {
      const near = await t.callee('near', (c) => c.payload, { at: ['leaf'], concurrency: 2 });
      const far = await t.callee('far', (c) => c.payload, { at: ['hub'] });
      const { call, session } = await t.caller('c1', ['leaf']);
      await session.link.flush();
      for (let i = 0; i < 50; i++) assert.equal(codeOf(await call()), 'ok');
      assert.deepEqual([near.seen.length, far.seen.length], [50, 0]);
      for (let i = 0; i < 3; i++) void near.gate.enter(never);
      await near.session.link.flush();
      for (let i = 0; i < 50; i++) assert.equal(codeOf(await call()), 'ok');
      assert.deepEqual([near.seen.length, far.seen.length], [50, 50]);
    }),
  );
});
