/** Async work over a real bus: accepted once, run until it succeeded or is dead, never lost (D6). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { PAYLOAD_LIMIT_BYTES, WORK_CONSUMER, asyncStream, deadSubject } from '@sinter/contract';
import type { RetryTerms } from '@sinter/contract';
import { provisionAsync } from '../../../operator/src/bus/provision.ts';
import type { TestBus } from '../../../operator/src/local/nats/testBus.ts';
import { Gate, Puller, sendWork } from '../src/index.ts';
import type { DeadWork, PulledWork, Session, Work } from '../src/index.ts';
import { failing, latch, pause, sharedBus, text, until } from './rig.ts';
import type { World } from './rig.ts';

const shared = sharedBus({ machines: ['leaf'] });
before(shared.start);
after(shared.stop);
const { world } = shared;

const RETRY: RetryTerms = { attempts: 3, on: [], backoffSeconds: 0.05, maxBackoffSeconds: 1 };

/** Streams for the world's function `job`; the server may wait less long for an acknowledgement, to save the test's time. */
async function jobs(t: World, bus: TestBus, ackWaitMs = 10_000) {
  const nc = await bus.connectOperator();
  await provisionAsync(nc, t.w, [{ fn: 'job' }]);
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const stream = asyncStream(t.w, 'job');
  await jsm.consumers.update(stream, WORK_CONSUMER, { ack_wait: ackWaitMs * 1e6 });
  const left = async (): Promise<number> => (await jsm.streams.info(stream)).state.messages;
  const deadLetters = async () => {
    const found = [];
    const subject = deadSubject(t.w, 'job', '*', '*');
    const { state } = await jsm.streams.info(stream, { subjects_filter: subject });
    for (const s of Object.keys(state.subjects ?? {}))
      found.push(await jsm.streams.getMessage(stream, { last_by_subj: s }));
    return found;
  };
  return { left, deadLetters };
}

const work = (t: World, s: string, head: Partial<Work['head']> = {}): Work => ({
  workflow: t.w,
  function: 'job',
  head: { ...t.head(), revision: 'r1', ...head },
  payload: text(s),
  durability: 'AtLeastOnce',
});

type Run = (work: PulledWork) => Promise<void> | void;

async function worker(
  t: World,
  run: Run,
  options: {
    instance?: string;
    concurrency?: number;
    at?: readonly string[];
    retry?: RetryTerms;
    share?: number;
  } = {},
) {
  const { session, renewed } = await t.session(
    t.scope('back', ['job']),
    options.instance ?? 'w1',
    options.at,
  );
  const gate = new Gate(options.concurrency ?? 8, performance);
  const ran: string[] = [];
  const problems: string[] = [];
  const dead: (readonly [DeadWork, string])[] = [];
  const puller = new Puller({
    session,
    workflow: t.w,
    function: 'job',
    gate,
    share: () => options.share ?? 1,
    retryOf: () => options.retry ?? RETRY,
    run: async (w) => {
      ran.push(Buffer.from(w.call.payload.bytes).toString());
      await run(w);
    },
    onDead: (w, e) => dead.push([w, e.code]),
    onProblem: (p) => problems.push(p),
  });
  return { session, gate, puller, ran, problems, dead, renewed, counters: puller.counters };
}

const send = (session: Session, w: Work) => sendWork(session, performance, w);

describe('async work', { concurrency: 9 }, () => {
  it(
    'runs, and is gone when it has run',
    world(async (t, bus) => {
      const { left } = await jobs(t, bus);
      const { session } = await t.caller();
      const seen: PulledWork[] = [];
      const w = await worker(t, (x) => void seen.push(x));
      w.puller.start();
      const sentAt = Date.now();
      for (let i = 0; i < 50; i++)
        assert.deepEqual(await send(session, work(t, `n${String(i)}`)), { duplicate: false });
      await until('all have run', () => w.counters.executed === 50);
      await w.puller.stop();
      assert.equal(await left(), 0);
      assert.deepEqual([w.counters.redelivered, w.counters.failed, w.problems], [0, 0, []]);
      assert.ok(seen.every((x) => x.deliveries === 1 && x.caller === 'caller' && !x.last));
      assert.ok(seen.every((x) => Math.abs(x.acceptedAtMs - sentAt) < 5_000));
    }),
  );

  it(
    'is taken on by share where a puller has one, all the same where it is alone',
    world(async (t, bus) => {
      await jobs(t, bus);
      const { session } = await t.caller();
      const [current, candidate] = [
        await worker(t, () => pause(2)),
        await worker(t, () => pause(2), { instance: 'w2', share: 0.05 }),
      ];
      current.puller.start();
      candidate.puller.start();
      const executed = (): number => current.counters.executed + candidate.counters.executed;
      for (let i = 0; i < 400; i++) {
        await send(session, work(t, `n${String(i)}`));
        if (i % 4 === 0) await pause(4);
      }
      await until('all have run', () => executed() === 400);
      // A twentieth is 20; of what comes while it asks it may have the half or all.
      assert.ok(candidate.counters.executed <= 40, String(candidate.counters.executed));
      await current.puller.stop();
      for (let i = 0; i < 3; i++) await send(session, work(t, `alone${String(i)}`));
      await until('they have run', () => executed() === 403);
      await candidate.puller.stop();
    }),
  );

  it(
    'sent twice with the same key is accepted once',
    world(async (t, bus) => {
      const { left } = await jobs(t, bus);
      const { session } = await t.caller();
      assert.equal((await send(session, work(t, 'a', { key: 'k 1' }))).duplicate, false);
      assert.equal((await send(session, work(t, 'b', { key: 'k 1' }))).duplicate, true);
      assert.equal((await send(session, work(t, 'c', { key: 'k 2' }))).duplicate, false);
      assert.equal(await left(), 2);
    }),
  );

  it(
    'is refused when it may not be sent at all, or there is nobody to keep it',
    world(async (t, bus) => {
      await jobs(t, bus);
      const { session } = await t.caller();
      await assert.rejects(send(session, work(t, 'x', { hops: 64 })), { code: 'TooManyHops' });
      for (const key of ['', 'a\nb', 'x'.repeat(257), 'ü', ' a'])
        await assert.rejects(send(session, work(t, 'x', { key })), {
          code: 'FunctionFailed',
          reason: 'BadKey',
        });
      const large = {
        ...work(t, ''),
        payload: { contentType: 'x/y', bytes: new Uint8Array(PAYLOAD_LIMIT_BYTES + 1) },
      };
      await assert.rejects(send(session, large), { code: 'PayloadTooLarge' });
      const full = {
        ...work(t, ''),
        payload: { contentType: 'x/y', bytes: new Uint8Array(PAYLOAD_LIMIT_BYTES) },
      };
      await send(session, full);
      const startedAt = performance.now();
      await assert.rejects(send(session, { ...work(t, 'x'), function: 'nowhere' }), {
        code: 'BusUnavailable',
      });
      assert.ok(performance.now() - startedAt < 2_500);
    }),
  );

  it(
    'that fails is tried again after a pause, then kept as a dead letter that says why',
    world(async (t, bus) => {
      const { left, deadLetters } = await jobs(t, bus);
      const { session } = await t.caller();
      const at: number[] = [];
      const last: boolean[] = [];
      const w = await worker(t, (x) => {
        at.push(performance.now());
        last.push(x.last);
        throw failing('FunctionFailed', `no\nway ${'x'.repeat(9_000)}`);
      });
      w.puller.start();
      const head = { callId: 'poor' };
      await send(session, work(t, 'payload', head));
      await until('it is dead', () => w.counters.dead === 1);
      await w.puller.stop();
      assert.deepEqual(last, [false, false, true]);
      assert.ok((at[1] ?? 0) - (at[0] ?? 0) >= 45 && (at[2] ?? 0) - (at[1] ?? 0) >= 95, String(at));
      assert.equal(await left(), 1);
      const [letter] = await deadLetters();
      assert.ok(letter);
      assert.ok(letter.subject.endsWith('.job.caller.poor'));
      assert.equal(letter.string(), 'payload');
      assert.equal(letter.header.get('Sinter-Deliveries'), '3');
      assert.equal(letter.header.get('Sinter-Call-Id'), 'poor');
      const told = JSON.parse(letter.header.get('Sinter-Error')) as Record<string, string>;
      assert.deepEqual(
        [told['code'], told['function'], told['reason']],
        ['FunctionFailed', 'deep', 'Because'],
      );
      assert.deepEqual(w.dead, [], 'its last run has told already');
    }),
  );

  it(
    'that cannot be read is a dead letter at once',
    world(async (t, bus) => {
      const { deadLetters } = await jobs(t, bus);
      const w = await worker(t, () => undefined);
      w.puller.start();
      const nc = await bus.connectOperator();
      nc.publish(`work.ns.${t.w.workflow}.job.caller.odd`, 'x');
      await until('it is dead', () => w.counters.dead === 1);
      assert.deepEqual(w.ran, []);
      assert.match((await deadLetters())[0]?.header.get('Sinter-Error') ?? '', /BadFrame/);
      assert.deepEqual(
        w.dead.map(([d, code]) => [d.callId, code]),
        [['odd', 'FunctionFailed']],
      );
      await w.puller.stop();
    }),
  );

  it(
    'is pulled as there is room, by whoever has it',
    world(async (t, bus) => {
      const { left } = await jobs(t, bus);
      const { session } = await t.caller();
      let running = 0;
      let most = 0;
      const run = async (): Promise<void> => {
        most = Math.max(most, ++running);
        await pause(10);
        running -= 1;
      };
      const a = await worker(t, run, { instance: 'a', concurrency: 2 });
      const b = await worker(t, run, { instance: 'b', concurrency: 3, at: ['leaf', 'hub'] });
      a.puller.start();
      b.puller.start();
      await Promise.all(Array.from({ length: 60 }, (_, i) => send(session, work(t, String(i)))));
      await until('all have run', () => a.counters.executed + b.counters.executed === 60);
      await Promise.all([a.puller.stop(), b.puller.stop()]);
      assert.ok(
        most <= 5 && a.ran.length > 10 && b.ran.length > 10,
        `${String(a.ran.length)} ${String(b.ran.length)}`,
      );
      assert.equal(await left(), 0);
      assert.equal(a.counters.redelivered + b.counters.redelivered, 0);
    }),
  );

  it(
    'is neither lost nor repeated by pullers that stop, start and move',
    world(async (t, bus) => {
      const { left } = await jobs(t, bus);
      const { session } = await t.caller();
      const a = await worker(t, () => pause(3), { instance: 'a' });
      const b = await worker(t, () => pause(3), { instance: 'b' });
      a.puller.start();
      b.puller.start();
      let sent = 0;
      const sending = (async () => {
        for (; sent < 400; sent++) await send(session, work(t, String(sent)));
      })();
      const changing = (async () => {
        while (sent < 400) {
          const stopped = a.puller.stop();
          a.puller.start();
          await stopped;
          await b.puller.stop();
          b.puller.start();
          if (sent > 100 && sent < 200) await a.session.renew(a.renewed());
        }
      })();
      await Promise.all([sending, changing]);
      await until('all have run', () => a.counters.executed + b.counters.executed >= 400);
      await Promise.all([a.puller.stop(), b.puller.stop()]);
      assert.equal(await left(), 0);
      assert.deepEqual([a.counters.redelivered, b.counters.redelivered], [0, 0]);
      assert.equal(new Set([...a.ran, ...b.ran]).size, 400);
    }),
  );

  it(
    'that runs for longer than the server waits is renewed, also when its puller was stopped and started',
    world(async (t, bus) => {
      const { left } = await jobs(t, bus, 5_000);
      const { session } = await t.caller();
      const w = await worker(t, () => pause(7_000), { concurrency: 2 });
      w.puller.start();
      await send(session, work(t, 'long'));
      await until('it runs', () => w.ran.length === 1);
      const stopped = w.puller.stop();
      w.puller.start();
      await stopped;
      await w.session.renew(w.renewed());
      await until('it has run', () => w.counters.executed === 1, 9_000);
      await w.puller.stop();
      assert.deepEqual([w.counters.redelivered, await left()], [0, 0]);
    }),
  );

  it(
    'of a worker that died is run again by another, and is dead when its attempts are gone',
    world(async (t, bus) => {
      const { deadLetters } = await jobs(t, bus, 3_000);
      const { session } = await t.caller();
      const once = { ...RETRY, attempts: 1 };
      const a = await worker(t, () => latch().opened, { instance: 'a', retry: once });
      a.puller.start();
      await send(session, work(t, 'x', { callId: 'left-behind' }));
      await until('it runs', () => a.ran.length === 1);
      await a.session.link.nc.close();
      const b = await worker(t, () => undefined, { instance: 'b', retry: once });
      b.puller.start();
      await until('it is dead', () => b.counters.dead === 1, 8_000);
      assert.deepEqual([b.ran, b.counters.redelivered], [[], 1]);
      assert.deepEqual(
        b.dead.map(([d, code]) => [d.callId, code]),
        [['left-behind', 'CalleeLost']],
      );
      const [letter] = await deadLetters();
      assert.match(letter?.header.get('Sinter-Error') ?? '', /CalleeLost/);
      assert.equal(letter?.header.get('Sinter-Deliveries'), '1');
      await b.puller.stop();
    }),
  );
});

describe('async work and a server that is killed', () => {
  it(
    'none is lost; only what was running then may run twice',
    world(async (t, bus) => {
      const { session } = await t.caller();
      const { left } = await jobs(t, bus);
      const w = await worker(t, () => pause(5), { at: ['leaf', 'hub'] });
      w.puller.start();
      const accepted: string[] = [];
      let refused = 0;
      let on = true;
      t.atEnd(() => void (on = false));
      const sending = Array.from({ length: 4 }, async (_, k) => {
        for (let i = 0; on; i++) {
          const name = `${String(k)}-${String(i)}`;
          await send(session, work(t, name)).then(
            () => accepted.push(name),
            () => (refused += 1),
          );
          await pause(4);
        }
      });
      await until('work flows', () => w.ran.length > 100);
      const killedAt = performance.now();
      await bus.servers.kill('hub');
      await pause(300);
      await bus.servers.restart('hub');
      const awayMs = performance.now() - killedAt;
      const backAt = w.ran.length;
      await until('work flows again', () => w.ran.length > backAt + 100, 8_000);
      on = false;
      await Promise.all(sending);
      await until(
        'all that was accepted has run',
        () => {
          const ran = new Set(w.ran);
          return accepted.every((name) => ran.has(name));
        },
        15_000,
      );
      await w.puller.stop();
      const twice = w.ran.length - new Set(w.ran).size;
      assert.ok(twice <= 8 + w.counters.redelivered, `${String(twice)} ran twice`);
      assert.equal(w.counters.dead, 0);
      assert.equal(await left(), 0);
      // Whoever hands in work waits two seconds for the bus, the way back to it included.
      if (awayMs < 1_000) assert.equal(refused, 0);
    }),
  );
});
