/** Calls over a real bus: every way in which they go well, go wrong, or are lost. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { HEADER, PAYLOAD_LIMIT_BYTES, writeAnswer } from '@sinter/contract';
import type { Answer } from '@sinter/contract';
import { HeaderBlock } from '../src/index.ts';
import { REVISION, codeOf, failing, latch, pause, sharedBus, text, textOf, until } from './rig.ts';

const shared = sharedBus();
before(shared.start);
after(shared.stop);
const { world } = shared;

const AT = { machine: 'm', instance: 'raw' };
const answerTo = (
  answer: Answer,
): readonly [Uint8Array, { headers: ReturnType<HeaderBlock['asMsgHdrs']> }] => {
  const block = new HeaderBlock();
  const bytes = writeAnswer(block, answer);
  return [bytes, { headers: block.asMsgHdrs() }];
};
const hang = (): Promise<never> => new Promise<never>(() => undefined);

describe('a call over the bus', { concurrency: 4 }, () => {
  it(
    'gives the result, with who ran it',
    world(async (t) => {
      await t.callee('i1', (call) => call.payload);
      const { call } = await t.caller();
      const outcome = await call('grüße 𝄞');
      assert.equal(textOf(outcome), 'grüße 𝄞');
      assert.ok(outcome.ok && outcome.instance === 'i1' && outcome.machine === 'hub');
    }),
  );

  it(
    'passes errors on as they are',
    world(async (t) => {
      await t.callee('i1', () => Promise.reject(failing('QuotaExceeded', 'enough')));
      const outcome = await (await t.caller()).call();
      assert.ok(!outcome.ok);
      assert.deepEqual(outcome.error.toWire(), failing('QuotaExceeded', 'enough').toWire());
    }),
  );

  it(
    'carries what is allowed to the byte, and refuses more before it is sent and after it ran',
    world(async (t) => {
      const back = await t.callee('i1', (call) =>
        call.payload.bytes.byteLength === 1
          ? { contentType: 'x/y', bytes: new Uint8Array(PAYLOAD_LIMIT_BYTES + 1) }
          : call.payload,
      );
      const { call } = await t.caller();
      const full = await call({ contentType: 'x/y', bytes: new Uint8Array(PAYLOAD_LIMIT_BYTES).fill(7) });
      assert.ok(full.ok && full.payload.bytes.byteLength === PAYLOAD_LIMIT_BYTES, textOf(full));
      assert.equal(
        codeOf(await call({ contentType: 'x/y', bytes: new Uint8Array(PAYLOAD_LIMIT_BYTES + 1) })),
        'PayloadTooLarge',
      );
      assert.equal(back.seen.length, 1);
      assert.equal(codeOf(await call('1')), 'PayloadTooLarge');
      assert.equal(back.seen.length, 2);
    }),
  );

  it(
    'waits for somebody to be there, then is served',
    world(async (t) => {
      const { call } = await t.caller();
      const outcome = call('early');
      await pause(60);
      await t.callee('i1', (c) => c.payload);
      assert.equal(textOf(await outcome), 'early');
    }),
  );

  it(
    'is Overloaded when nobody comes',
    world(async (t) => {
      const { call } = await t.caller();
      const startedAt = performance.now();
      const outcome = await call('alone', { timeoutMs: 150 });
      assert.equal(codeOf(outcome), 'Overloaded');
      assert.ok(performance.now() - startedAt < 2_000);
    }),
  );

  it(
    'that is lost on the way is sent again and served by another instance',
    world(async (t) => {
      const heir = await t.callee('i1', (c) => c.payload, { serve: false });
      const dead = await t.rawCallee((_msg, nc) => {
        void nc.close();
      });
      const { call, caller } = await t.caller();
      const outcome = call('again');
      await dead.closed();
      await heir.serve();
      assert.equal(textOf(await outcome), 'again');
      assert.ok(caller.counters.resends >= 1);
    }),
  );

  it(
    'sent again and again into silence is a lost callee, within three seconds',
    world(async (t) => {
      let frames = 0;
      await t.rawCallee(() => (frames += 1));
      const { call } = await t.caller();
      const startedAt = performance.now();
      assert.equal(codeOf(await call()), 'CalleeLost');
      assert.ok(performance.now() - startedAt < 3_000);
      assert.equal(frames, 5);
    }),
  );

  it(
    'sent twice runs once, and both are answered',
    world(async (t) => {
      const gate = latch();
      const back = await t.callee('i1', async (c) => {
        await gate.opened;
        return c.payload;
      });
      const nc = await t.raw('front');
      const frames: string[] = [];
      nc.subscribe(`_INBOX.ns.${t.w.workflow}.front.raw.>`, {
        callback: (_e, m) => void frames.push(`${m.subject.slice(-1)} ${m.headers?.get(HEADER.frame) ?? ''}`),
      });
      const headers = t.frame({ callId: 'twice' }).asMsgHdrs();
      const subject = `fn.ns.${t.w.workflow}.${REVISION}.fn`;
      const reply = `_INBOX.ns.${t.w.workflow}.front.raw`;
      nc.publish(subject, 'hello', { headers, reply: `${reply}.1` });
      nc.publish(subject, 'hello', { headers, reply: `${reply}.2` });
      await until('the repetition is accepted', () => frames.length > 0);
      gate.open();
      await until('it is answered', () => frames.includes('2 Result'));
      nc.publish(subject, 'hello', { headers, reply: `${reply}.3` });
      await until('a late repetition is answered', () => frames.includes('3 Result'));
      assert.deepEqual(frames, ['2 Accepted', '2 Result', '3 Result']);
      assert.deepEqual([back.seen.length, back.intake.counters.repeated], [1, 2]);
    }),
  );

  it(
    'that takes long shows that it lives',
    world(async (t) => {
      await t.callee('i1', async (c) => {
        await pause(3_500);
        return c.payload;
      });
      const { call } = await t.caller();
      const nc = await t.raw('front');
      const frames: string[] = [];
      nc.subscribe(`_INBOX.ns.${t.w.workflow}.front.raw.>`, {
        callback: (_e, m) => void frames.push(m.headers?.get(HEADER.frame) ?? ''),
      });
      nc.publish(`fn.ns.${t.w.workflow}.${REVISION}.fn`, 'hello', {
        headers: t.frame().asMsgHdrs(),
        reply: `_INBOX.ns.${t.w.workflow}.front.raw.1`,
      });
      assert.equal(textOf(await call('patience')), 'patience');
      await until('the other is answered too', () => frames.includes('Result'));
      assert.deepEqual(frames, ['Accepted', 'Alive', 'Alive', 'Alive', 'Result']);
    }),
  );

  it(
    'whose callee is killed while it runs is lost within three seconds',
    world(async (t) => {
      const back = await t.callee('i1', hang);
      const { call } = await t.caller();
      const outcome = call('doomed', { timeoutMs: 30_000 });
      await until('it runs', () => back.seen.length === 1);
      await pause(100);
      const killedAt = performance.now();
      await back.kill();
      assert.equal(codeOf(await outcome), 'CalleeLost');
      assert.ok(performance.now() - killedAt < 3_000);
    }),
  );

  it(
    'whose callee is killed is run by another where the edge has a retry',
    world(async (t) => {
      const first = await t.callee('i1', hang);
      const { call } = await t.caller();
      const retry = { attempts: 2, on: ['CalleeLost' as const], backoffSeconds: 0.01, maxBackoffSeconds: 1 };
      const outcome = call('saved', { timeoutMs: 30_000, retry });
      await until('it runs', () => first.seen.length === 1);
      await pause(100); // accepted: what is silent before would be sent again as the same attempt
      const second = await t.callee('i2', (c) => text(`${String(c.head.attempt)} ${c.head.callId}`));
      await first.kill();
      assert.equal(textOf(await outcome), `2 ${second.seen[0] ?? ''}`);
      assert.deepEqual(second.seen, first.seen);
    }),
  );

  for (const [when, ms] of [
    ['before it is accepted', 5],
    ['after it was accepted', 120],
  ] as const)
    it(
      `that is cancelled ${when} stops its callee`,
      world(async (t) => {
        const stopped = latch();
        const back = await t.callee('i1', async (_c, signal) => {
          signal.addEventListener('abort', stopped.open);
          return await hang();
        });
        const { call } = await t.caller();
        const abort = new AbortController();
        const outcome = call('stop', {}, abort.signal);
        await until('it runs', () => back.seen.length === 1);
        await pause(ms);
        const abortedAt = performance.now();
        abort.abort();
        assert.equal(codeOf(await outcome), 'Cancelled');
        assert.ok(performance.now() - abortedAt < 1_000);
        await Promise.race([stopped.opened, pause(5_000).then(() => assert.fail('was not told'))]);
      }),
    );

  it(
    'that was cancelled before it began is not made',
    world(async (t) => {
      const back = await t.callee('i1', (c) => c.payload);
      const { call } = await t.caller();
      assert.equal(codeOf(await call('x', {}, AbortSignal.abort())), 'Cancelled');
      assert.equal(back.seen.length, 0);
    }),
  );

  it(
    'ends at its deadline, and its callee is told',
    world(async (t) => {
      const stopped = latch();
      await t.callee('i1', async (c, signal) => {
        assert.ok(c.head.timeoutMs <= 200);
        signal.addEventListener('abort', stopped.open);
        return await hang();
      });
      const { call } = await t.caller();
      const startedAt = performance.now();
      assert.equal(codeOf(await call('x', { timeoutMs: 200 })), 'Timeout');
      assert.ok(performance.now() - startedAt < 2_000);
      await Promise.race([stopped.opened, pause(5_000).then(() => assert.fail('was not told'))]);
    }),
  );

  it(
    'that its callee stops first, at the deadline, is a Timeout too',
    world(async (t) => {
      await t.callee('i1', async (_c, signal) => {
        const { promise, reject } = Promise.withResolvers<never>();
        signal.addEventListener('abort', () => {
          reject(failing('Cancelled', 'stopped, whyever'));
        });
        return await promise;
      });
      const nc = await t.raw('front');
      const answer = await nc.requestMany(`fn.ns.${t.w.workflow}.${REVISION}.fn`, 'x', {
        maxWait: 500,
        headers: t.frame({ timeoutMs: 100 }).asMsgHdrs(),
      });
      const frames: string[] = [];
      for await (const msg of answer) frames.push(msg.string());
      assert.match(frames.at(-1) ?? '', /"code":"Timeout"/);
    }),
  );

  it(
    'that is answered twice takes the first',
    world(async (t) => {
      await t.rawCallee((msg) => {
        msg.respond(...answerTo({ kind: 'Result', payload: text('first'), ...AT }));
        msg.respond(...answerTo({ kind: 'Result', payload: text('second'), ...AT }));
        msg.respond(...answerTo({ kind: 'Error', error: failing('Timeout', 'third'), ...AT }));
      });
      const { call } = await t.caller();
      for (let i = 0; i < 20; i++) assert.equal(textOf(await call()), 'first');
    }),
  );

  it(
    'that is answered too late stays what it was',
    world(async (t) => {
      const answered = latch();
      await t.rawCallee((msg, nc) => {
        msg.respond(
          ...answerTo({ kind: 'Accepted', cancelTo: `_INBOX.ns.${t.w.workflow}.back.raw.0.ctl`, ...AT }),
        );
        setTimeout(() => {
          msg.respond(...answerTo({ kind: 'Result', payload: text('late'), ...AT }));
          void nc.flush().then(answered.open);
        }, 150);
      });
      const { call } = await t.caller();
      assert.equal(codeOf(await call('x', { timeoutMs: 100 })), 'Timeout');
      await answered.opened;
      assert.equal(codeOf(await call('x', { timeoutMs: 400 })), 'ok');
    }),
  );

  it(
    'does not publish where its callee likes',
    world(async (t) => {
      const nc = await t.rawCallee((msg) => {
        msg.respond(
          ...answerTo({ kind: 'Accepted', cancelTo: `fn.ns.${t.w.workflow}.${REVISION}.other`, ...AT }),
        );
      });
      let reached = 0;
      nc.subscribe(`fn.ns.${t.w.workflow}.${REVISION}.other`, {
        queue: 'fn',
        callback: () => void (reached += 1),
      });
      await nc.flush();
      const { call, session } = await t.caller();
      const abort = new AbortController();
      const outcome = call('x', {}, abort.signal);
      await pause(80);
      abort.abort();
      assert.equal(codeOf(await outcome), 'Cancelled');
      await session.link.flush();
      await nc.flush();
      assert.equal(reached, 0);
    }),
  );

  it(
    'with too many calls above it is refused on either side',
    world(async (t) => {
      const back = await t.callee('i1', (c) => c.payload);
      const { caller } = await t.caller();
      const callee = { ...t.w, revision: REVISION, function: 'fn' };
      const outcome = await caller.call(callee, { ...t.head(), hops: 64 }, text('x'), { timeoutMs: 1_000 });
      assert.equal(codeOf(outcome), 'TooManyHops');
      const nc = await t.raw('front');
      const answer = await nc.request(`fn.ns.${t.w.workflow}.${REVISION}.fn`, 'x', {
        timeout: 1_000,
        headers: t.frame({ hops: 65 }).asMsgHdrs(),
      });
      assert.match(answer.string(), /TooManyHops/);
      assert.equal(back.seen.length, 0);
    }),
  );

  it(
    'that is malformed is answered with what is wrong, once it is known whom to answer',
    world(async (t) => {
      const back = await t.callee('i1', (c) => c.payload);
      const nc = await t.raw('front');
      const subject = `fn.ns.${t.w.workflow}.${REVISION}.fn`;
      const answer = await nc.request(subject, 'x', { timeout: 1_000 });
      assert.match(answer.string(), /FunctionFailed.*no frame of a contract version/);
      nc.publish(subject, 'x');
      nc.publish(subject, 'x', { reply: subject });
      await nc.flush();
      await until('they were dropped', () => back.listener.counters.reflected === 2);
      assert.equal(back.intake.counters.unreadable, 1);
    }),
  );

  it(
    'with the header of a probe is answered and not run',
    world(async (t) => {
      const back = await t.callee('i1', (c) => c.payload);
      const nc = await t.raw('front');
      const headers = t.frame();
      headers.set(HEADER.probe, '1');
      const answer = await nc.request(`fn.ns.${t.w.workflow}.${REVISION}.fn`, '', {
        timeout: 1_000,
        headers: headers.asMsgHdrs(),
      });
      assert.equal(answer.headers?.get(HEADER.instance), 'i1');
      assert.equal(back.seen.length, 0);
    }),
  );

  it(
    'made 500 times at once gets 500 answers, each its own',
    world(async (t) => {
      await t.callee('i1', (c) => c.payload, { concurrency: 1_000 });
      const { call } = await t.caller();
      const outcomes = await Promise.all(Array.from({ length: 500 }, (_, i) => call(`n${String(i)}`)));
      assert.deepEqual(
        outcomes.map(textOf),
        Array.from({ length: 500 }, (_, i) => `n${String(i)}`),
      );
    }),
  );
});

describe('the memory of a callee', () => {
  it(
    'is bounded in bytes',
    world(async (t) => {
      const back = await t.callee('i1', () => ({ contentType: 'x/y', bytes: new Uint8Array(64 * 1024) }));
      const nc = await t.raw('front');
      const subject = `fn.ns.${t.w.workflow}.${REVISION}.fn`;
      const ask = async (callId: string): Promise<number> => {
        const headers = t.frame({ callId }).asMsgHdrs();
        return (await nc.request(subject, 'x', { timeout: 2_000, headers })).data.byteLength;
      };
      for (let i = 0; i < 300; i += 20)
        await Promise.all(Array.from({ length: 20 }, (_, j) => ask(`c${String(i + j)}`)));
      assert.equal(await ask('c0'), 64 * 1024);
      assert.ok((await ask('c299')) < 1_000, 'the last is not kept');
      assert.equal(back.seen.length, 300);
    }),
  );
});
