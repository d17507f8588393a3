/** The server itself is lost: what is out ends at once with a code, what comes waits a little, and all comes back. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { callSubject } from '@sinter/contract';
import type { RouteRecord } from '@sinter/contract';
import { openRoutes } from '../../../operator/src/bus/routes.ts';
import { provisionBuckets } from '../../../operator/src/bus/provision.ts';
import { RouteWatch, sendWork } from '../src/index.ts';
import { codeOf, sharedBus, text, textOf, until } from './rig.ts';

const shared = sharedBus();
before(shared.start);
after(shared.stop);
const { world } = shared;

describe('when the server is killed', () => {
  it(
    'calls that are out end at once; later ones are refused after two seconds, or served when it is back',
    world(async (t, bus) => {
      const hung: string[] = [];
      const back = await t.callee('a', async (c) => {
        if (Buffer.from(c.payload.bytes).toString() !== 'hang') return c.payload;
        hung.push(c.head.callId);
        return await new Promise<never>(() => undefined);
      });
      const { call, session } = await t.caller();
      const retry = {
        attempts: 5,
        on: ['ConnectionLost' as const],
        backoffSeconds: 0.05,
        maxBackoffSeconds: 1,
      };
      const out = Array.from({ length: 50 }, () => call('hang', { timeoutMs: 30_000 }));
      await until('they run', () => back.seen.length === 50);
      const again = call('hang', { timeoutMs: 4_500, retry });
      await until('it runs too', () => back.seen.length === 51);
      const killedAt = performance.now();
      await bus.servers.kill('hub');
      assert.deepEqual([...new Set((await Promise.all(out)).map(codeOf))], ['ConnectionLost']);
      assert.ok(performance.now() - killedAt < 2_000, `${String(performance.now() - killedAt)} ms`);
      assert.equal(session.link.publish(callSubject(t.w, 'r1', 'fn'), Buffer.from('x')), false);

      const refusedAt = performance.now();
      const work = {
        workflow: t.w,
        function: 'job',
        head: { ...t.head(), revision: 'r1' },
        payload: text('x'),
        durability: 'AtLeastOnce' as const,
      };
      const [refused, unsent, cancelled] = await Promise.all([
        call('x', { timeoutMs: 30_000 }),
        sendWork(session, performance, work).catch((e: unknown) => e),
        call('x', { timeoutMs: 30_000 }, AbortSignal.timeout(100)).then(
          (o) => [codeOf(o), performance.now() - refusedAt] as const,
        ),
      ]);
      assert.equal(codeOf(refused), 'BusUnavailable');
      assert.match(String((unsent as { code?: string }).code), /BusUnavailable/);
      assert.equal(cancelled[0], 'Cancelled');
      assert.ok(cancelled[1] < 500);
      const took = performance.now() - refusedAt;
      assert.ok(took > 1_900 && took < 2_600, `${String(took)} ms`);

      const early = call('early', { timeoutMs: 5_000 });
      await bus.servers.restart('hub');
      assert.equal(textOf(await early), 'early');
      assert.equal(codeOf(await again), 'Timeout', 'it was tried again, and hangs again');
      assert.ok(hung.length > 51, 'the retry reached the callee');
      assert.equal(new Set(hung).size, 51);
    }),
  );

  it(
    'a route stays as it was, and is read again when it is back',
    world(async (t, bus) => {
      const nc = await bus.connectOperator();
      let back = false;
      void (async () => {
        for await (const status of nc.status()) back = status.type === 'reconnect' || back;
      })();
      await provisionBuckets(nc);
      const { routes } = await openRoutes(nc);
      const route = (generation: number): RouteRecord => ({
        ...t.w,
        version: 1,
        generation,
        current: `r${String(generation)}`,
        draining: [],
        revisions: {},
      });
      let sequence = 0;
      const write = async (record: RouteRecord): Promise<void> => {
        const written = await routes.write(record, sequence);
        if (written.kind === 'Conflict') assert.fail('somebody else wrote');
        ({ sequence } = written);
      };
      const { session } = await t.session(t.scope('front', ['caller']), 'i1');
      const heard: number[] = [];
      const problems: string[] = [];
      const watch = new RouteWatch(
        session,
        t.w,
        (r) => heard.push(r.generation),
        (p) => problems.push(p),
      );
      await watch.start();
      assert.equal(heard.length, 0);
      await write(route(1));
      await until('it is heard', () => heard.length === 1);
      await write(route(5));
      await until('it is heard', () => heard.length === 2);
      await write(route(3));
      await watch.read();
      assert.deepEqual(heard, [1, 5], 'an older one is ignored');
      await write({ ...route(9), version: 77 });
      await write({ ...route(9), generation: 'x' as unknown as number });
      await until('they were told', () => problems.length >= 2);
      assert.match(problems[0] ?? '', /cannot be read/);

      await bus.servers.kill('hub');
      await until('it is down', () => !session.link.up);
      assert.deepEqual(heard, [1, 5]);
      await bus.servers.restart('hub');
      await until('the operator is back', () => back);
      await write(route(10));
      await until('the change after the return is heard', () => heard.some((g) => g === 10));
      watch.stop();
    }),
  );
});
