/**
 * The graph is the firewall (D11): what a unit's credential does not grant is refused by the server, at the hub and at a
 * leaf, and does not arrive.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import {
  CALLS_BUCKET,
  asyncStream,
  callSubject,
  kvWriteSubject,
  readCall,
  workSubject,
} from '@sinter/contract';
import {
  Spy,
  Violations,
  eventually,
  inboxOf,
  other,
  pullOne,
  startWorld,
  traffic,
  units,
} from './testAttack.ts';
import { putModule } from './modules.ts';
import { hubManager, provisionAsync } from './provision.ts';

/** What a unit u1 (function a, with edges to b and q) might try to publish. */
const FORBIDDEN_TO_PUBLISH = {
  'a call along no edge': 'fn.default.traffic.r1.c',
  'a call to itself from outside its graph': 'fn.default.traffic.r1.a',
  'a call into another workflow': 'fn.default.other.r1.x',
  'async work along no edge': 'work.default.traffic.c.a.c1',
  'async work as another caller': 'work.default.traffic.q.b.c1',
  'async work as the gateway': 'work.default.traffic.q._gateway.c1',
  "async work into another workflow's stream": 'work.default.other.x.a.c1',
  'a held call': 'later.default.traffic.q.a.c1',
  "a held call in another workflow's stream": 'later.default.other.x.a.c1',
  "a dead letter of somebody else's function": 'dead.default.traffic.q.a.c1',
  'its own route': '$KV.sinter-routes.default.traffic',
  "another workflow's route": '$KV.sinter-routes.default.other',
  'an entry': '$KV.sinter-routes._gateway.default.traffic',
  'a change of its own route': 'changed.default.traffic',
  'its own route, by the name that crosses leaves': '$JS.hub.API.$KV.sinter-routes.default.traffic',
  "the state of another workflow's call, by that name": '$JS.hub.API.$KV.sinter-calls.default.other.c1',
  'a record': '$KV.sinter-records.p1',
  "the state of another workflow's call": '$KV.sinter-calls.default.other.c1',
  'a module': '$O.sinter-modules-default.C.n1',
  "a module's description": '$O.sinter-modules-default.M.n1',
  "another unit's announcement": 'live.default.traffic.u2.i1',
  "another unit's observations": 'seen.default.traffic.u2.i1',
  "an answer to another workflow's caller": '_INBOX.default.other.ux.i1.r1',
  "an answer to the operator's requests": '_INBOX.abc.def',
  'the removal of a stream': '$JS.API.STREAM.DELETE.A_default_traffic_q',
  'the removal of a stream, in the domain': '$JS.hub.API.STREAM.DELETE.A_default_traffic_q',
  'the emptying of a stream': '$JS.hub.API.STREAM.PURGE.A_default_traffic_q',
  'the change of a stream': '$JS.hub.API.STREAM.UPDATE.A_default_traffic_q',
  'a stream of its own': '$JS.hub.API.STREAM.CREATE.mine',
  'the removal of a message': '$JS.hub.API.STREAM.MSG.DELETE.A_default_traffic_q',
  'a look into a stream': '$JS.hub.API.STREAM.MSG.GET.A_default_traffic_q',
  'a direct look into a stream': '$JS.hub.API.DIRECT.GET.A_default_traffic_q',
  'a consumer of its own': '$JS.hub.API.CONSUMER.CREATE.A_default_traffic_q',
  'a named consumer': '$JS.hub.API.CONSUMER.CREATE.A_default_traffic_q.mine',
  'the removal of a consumer': '$JS.hub.API.CONSUMER.DELETE.A_default_traffic_q.work',
  "another function's work": '$JS.hub.API.CONSUMER.MSG.NEXT.A_default_traffic_q.work',
  "another function's acknowledgement": '$JS.ACK.A_default_traffic_q.work.1.1.1.1.0',
  "another namespace's module": '$JS.hub.API.DIRECT.GET.OBJ_sinter-modules-elsewhere',
  "another workflow's route, to read":
    '$JS.hub.API.DIRECT.GET.KV_sinter-routes.$KV.sinter-routes.default.other',
  'digests of keys': '$JS.hub.API.DIRECT.GET.KV_sinter-routes.$KV.sinter-routes._gateway.default.traffic',
  'any route': '$JS.hub.API.DIRECT.GET.KV_sinter-routes',
  'results of calls': '$JS.hub.API.DIRECT.GET.KV_sinter-calls.$KV.sinter-calls.default.traffic.c1',
  'the list of streams': '$JS.hub.API.STREAM.NAMES',
  'a question to the servers': '$SYS.REQ.SERVER.PING',
  "a question about the account's own connections": '$SYS.REQ.USER.INFO.X',
};

const FORBIDDEN_TO_SUBSCRIBE: Readonly<Record<string, readonly [subject: string, queue?: string]>> = {
  everything: ['>'],
  'all replies': ['_INBOX.>'],
  "the workflow's replies": ['_INBOX.default.traffic.>'],
  "another unit's replies": ['_INBOX.default.traffic.u2.>'],
  "one instance's replies": ['_INBOX.default.traffic.u2.i1.*'],
  "the gateway's replies": ['_INBOX._gw.>'],
  "another function's calls": ['fn.default.traffic.*.c'],
  "another function's calls, in its queue group": ['fn.default.traffic.*.c', 'fn'],
  'the calls that it makes': ['fn.default.traffic.r1.b', 'fn'],
  'its own calls beside the queue group': ['fn.default.traffic.*.a'],
  'its own calls in a queue group of its own': ['fn.default.traffic.*.a', 'mine'],
  'every call of the workflow': ['fn.default.traffic.>', 'fn'],
  'async work': ['work.>'],
  'dead letters': ['dead.default.traffic.>'],
  announcements: ['live.>'],
  observations: ['seen.default.traffic.>'],
  'every route': ['$KV.sinter-routes.>'],
  'every change of a route': ['changed.>'],
  "another workflow's changes": ['changed.default.other'],
  "its own workflow's entry": ['$KV.sinter-routes._gateway.default.traffic'],
  'results of calls': ['$KV.sinter-calls.default.traffic.>'],
  'modules as they are put': ['$O.>'],
  'requests to JetStream': ['$JS.API.>'],
  "JetStream's events": ['$JS.EVENT.>'],
  'the system': ['$SYS.>'],
};

describe('the graph is the firewall', () => {
  let world: Awaited<ReturnType<typeof startWorld>>;
  let spy: Spy;
  const empty = async (stream: string) => (await hubManager(world.operator)).streams.purge(stream);
  before(async () => {
    world = await startWorld();
    spy = await Spy.start(world);
  });
  after(() => world.stop());

  for (const at of ['hub', 'm1']) {
    describe(`at ${at}`, () => {
      let nc: NatsConnection;
      let violations: Violations;
      before(async () => {
        nc = await world.connectUnit(units.u1, { at });
        violations = new Violations(nc);
      });

      for (const [what, subject] of Object.entries(FORBIDDEN_TO_PUBLISH)) {
        it(`refuses to publish ${what}`, async () => {
          const before = spy.on(subject).length;
          nc.publish(subject, 'forged', { reply: `${inboxOf(units.u1)}.r` });
          await violations.expect('publish', subject);
          await spy.fence(nc, units.u1);
          assert.equal(spy.on(subject).length, before);
        });
      }

      for (const [what, [subject, queue]] of Object.entries(FORBIDDEN_TO_SUBSCRIBE)) {
        it(`refuses to listen to ${what}`, async () => {
          let heard = 0;
          nc.subscribe(subject, {
            ...(queue === undefined ? {} : { queue }),
            callback: (error) => {
              if (!error) heard++;
            },
          });
          await violations.expect('subscription', subject);
          const concrete = subject.replace('>', 'probe').replaceAll('*', 'r1');
          if (!concrete.startsWith('$')) spy.calls.publish(concrete, 'secret');
          await spy.calls.flush();
          await spy.fence(nc, units.u1);
          await nc.flush();
          assert.equal(heard, 0);
        });
      }

      it('lets declared calls, replies and sends pass', async () => {
        const callee = await world.connectUnit(units.u2, { at });
        const calleeViolations = new Violations(callee);
        callee.subscribe(callSubject(traffic, 'r1', 'b'), {
          queue: 'fn',
          callback: (_, msg) => void msg.respond('done'),
        });
        await callee.flush();
        const answer = await nc.request(callSubject(traffic, 'r1', 'b'), 'x', { timeout: 3000 });
        assert.equal(answer.string(), 'done');
        const ack = await jetstream(nc, { domain: 'hub' }).publish(
          workSubject(traffic, 'q', 'a', `c-${at}`),
          'x',
        );
        assert.equal(ack.stream, asyncStream(traffic, 'q'));
        const { state } = await (await hubManager(world.operator)).streams.info(ack.stream);
        assert.equal(state.messages, 1, 'it is stored once, on whatever way it came');
        assert.deepEqual(calleeViolations.seen, []);
        await callee.close();
      });

      it('lets a unit pull and settle the work of its own function', async () => {
        const q = await world.connectUnit(units.u4, { at });
        const msg = await pullOne(q, units.u4, asyncStream(traffic, 'q'));
        assert.equal(msg.subject, workSubject(traffic, 'q', 'a', `c-${at}`));
        await q.request(msg.reply ?? '', '+ACK', { timeout: 3000 });
        const { num_ack_pending } = await (
          await hubManager(world.operator)
        ).consumers.info(asyncStream(traffic, 'q'), 'work');
        assert.equal(num_ack_pending, 0);
        await q.close();
      });

      it("refuses to let the gateway serve, write routes or read a unit's replies", async () => {
        const gateway = await world.connectGateway({ at });
        const refused = new Violations(gateway);
        gateway.publish('$KV.sinter-routes.default.traffic', 'forged');
        gateway.publish('work.default.traffic.q.a.c1', 'forged');
        gateway.publish('$JS.hub.API.STREAM.DELETE.A_default_traffic_q', '');
        gateway.subscribe('fn.default.traffic.*.b', { queue: 'fn' });
        gateway.subscribe('_INBOX.default.>', {});
        await refused.expect('publish', '$KV.sinter-routes.default.traffic');
        await refused.expect('publish', 'work.default.traffic.q.a.c1');
        await refused.expect('publish', '$JS.hub.API.STREAM.DELETE.A_default_traffic_q');
        await refused.expect('subscription', 'fn.default.traffic.*.b');
        await refused.expect('subscription', '_INBOX.default.>');
        await gateway.close();
      });
    });
  }

  describe('headers on a message that may be published', () => {
    const send = (nc: NatsConnection, subject: string, fields: Readonly<Record<string, string>>) => {
      const h = headers();
      for (const [name, value] of Object.entries(fields)) h.set(name, value);
      return jetstream(nc, { domain: 'hub' }).publish(subject, 'forged', { headers: h });
    };
    const subject = workSubject(traffic, 'q', 'a', 'h1');
    const inAWhile = () => `@at ${new Date(Date.now() + 200).toISOString()}`;

    it("cannot delete others' work", async () => {
      const nc = await world.connectUnit(units.u1);
      await empty(asyncStream(traffic, 'q'));
      await jetstream(world.operator, { domain: 'hub' }).publish(
        workSubject(traffic, 'q', '_gateway', 'g1'),
        'x',
      );
      await assert.rejects(send(nc, subject, { 'Nats-Rollup': 'all' }), /rollup not permitted/);
      const jsm = await hubManager(world.operator);
      const { state } = await jsm.streams.info(asyncStream(traffic, 'q'));
      assert.equal(state.messages, 1);
    });

    it("cannot delete others' results", async () => {
      const nc = await world.connectUnit(units.u1);
      const result = '$KV.sinter-calls.default.other.c1';
      await jetstream(world.operator, { domain: 'hub' }).publish(result, 'x');
      const mine = '$KV.sinter-calls.default.traffic.c1';
      await assert.rejects(send(nc, mine, { 'Nats-Rollup': 'all' }), /rollup not permitted/);
      const jsm = await hubManager(world.operator);
      assert.equal((await jsm.direct.getMessage('KV_sinter-calls', { last_by_subj: result }))?.string(), 'x');
    });

    it("cannot schedule, neither another's call nor its own", async () => {
      const nc = await world.connectUnit(units.u1);
      for (const target of ['work.default.other.x.a.c1', 'fn.default.traffic.r1.c', subject]) {
        const forged = { 'Nats-Schedule': inAWhile(), 'Nats-Schedule-Target': target };
        await assert.rejects(send(nc, subject, forged), /message schedules is disabled/);
      }
    });

    it("cannot schedule another's call where calls are held", async () => {
      await provisionAsync(world.operator, traffic, [{ fn: 'q' }, { fn: 'held', holds: true }]);
      const scope = { ...units.u1, edges: [{ from: 'a', to: 'held', call: 'Async' as const }] };
      const nc = await world.connectUnit(scope);
      for (const target of [
        'work.default.other.x.a.c1',
        'work.default.traffic.q.a.c1',
        'fn.default.traffic.r1.c',
      ]) {
        const forged = { 'Nats-Schedule': inAWhile(), 'Nats-Schedule-Target': target };
        await assert.rejects(
          send(nc, workSubject(traffic, 'held', 'a', 'h1'), forged),
          /message schedules target is invalid/,
        );
      }
    });

    it('could delete all work of a callee whose calls are held: why only those streams have schedules', async () => {
      const scope = { ...units.u1, edges: [{ from: 'a', to: 'held', call: 'Async' as const }] };
      const nc = await world.connectUnit(scope);
      const operator = jetstream(world.operator, { domain: 'hub' });
      await operator.publish(workSubject(traffic, 'held', '_gateway', 'g1'), 'x');
      await send(nc, workSubject(traffic, 'held', 'a', 'h2'), { 'Nats-Rollup': 'all' });
      const { state } = await (await hubManager(world.operator)).streams.info(asyncStream(traffic, 'held'));
      assert.equal(state.messages, 1, 'the server now protects the others: schedules can be on everywhere');
    });
  });

  /**
   * A server answers to whatever reply address a request names, with its own authority. What a unit may ask for is also
   * what it may have sent elsewhere: the work of its own functions, its own modules, acknowledgements, refusals.
   */
  describe('answers that a unit has sent elsewhere', () => {
    const operator = () => jetstream(world.operator, { domain: 'hub' });
    const info = async (stream: string) => (await hubManager(world.operator)).streams.info(stream);

    /** Every kind of answer that a unit can cause, to an address. */
    const reflect = async (at: string, reply: string, module: string) => {
      const { sha256 } = await putModule(world.operator, 'default', Buffer.from(module));
      const name = Buffer.from(sha256).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
      const jsm = await hubManager(world.operator);
      const meta = await jsm.direct.getMessage('OBJ_sinter-modules-default', {
        last_by_subj: `$O.sinter-modules-default.M.${name}`,
      });
      const { nuid } = meta?.json<{ nuid: string }>() ?? { nuid: '' };
      const u1 = await world.connectUnit(units.u1, { at });
      const u4 = await world.connectUnit(units.u4, { at });
      const chunk = JSON.stringify({ seq: 1, next_by_subj: `$O.sinter-modules-default.C.${nuid}` });
      u1.publish('$JS.hub.API.DIRECT.GET.OBJ_sinter-modules-default', chunk, { reply });
      u1.publish('$JS.hub.API.DIRECT.GET.OBJ_sinter-modules-default', '{"seq":999999}', { reply });
      u1.publish('$JS.hub.API.DIRECT.GET.KV_sinter-routes.$KV.sinter-routes.default.traffic', '', { reply });
      u1.publish(workSubject(traffic, 'q', 'a', crypto.randomUUID()), module, { reply });
      u1.publish(kvWriteSubject(CALLS_BUCKET, 'default.traffic.c1'), module, { reply });
      const next = `$JS.hub.API.CONSUMER.MSG.NEXT.${asyncStream(traffic, 'q')}.work`;
      u4.publish(next, '{"batch":1,"no_wait":true}', { reply });
      u4.publish(next, '{"batch":100,"no_wait":true}', { reply });
      await spy.fence(u1, units.u1);
      await spy.fence(u4, units.u4);
      await info(asyncStream(traffic, 'q'));
      await u1.close();
      await u4.close();
    };

    for (const at of ['hub', 'm1']) {
      for (const verb of ['STREAM.DELETE', 'STREAM.PURGE']) {
        for (const api of ['$JS.API', '$JS.hub.API']) {
          it(`change no stream: ${api}.${verb}, at ${at}`, async () => {
            await empty(asyncStream(other, 'x'));
            await operator().publish(workSubject(other, 'x', '_gateway', crypto.randomUUID()), 'x');
            await reflect(at, `${api}.${verb}.${asyncStream(other, 'x')}`, '{}');
            assert.equal((await info(asyncStream(other, 'x'))).state.messages, 1);
          });
        }
      }

      it(`create no stream, at ${at}`, async () => {
        const jsm = await hubManager(world.operator);
        const evil = JSON.stringify({ name: 'evil', subjects: ['evil'], storage: 'memory' });
        await reflect(at, '$JS.API.STREAM.CREATE.evil', evil);
        await reflect(at, '$JS.hub.API.STREAM.CREATE.evil', evil);
        await assert.rejects(jsm.streams.info('evil'), /stream not found/);
      });

      it(`write no route, no entry and no result of another workflow, at ${at}`, async () => {
        const targets = [
          ['KV_sinter-routes', '$KV.sinter-routes.default.other'],
          ['KV_sinter-routes', '$KV.sinter-routes._gateway.default.other'],
          ['KV_sinter-calls', '$KV.sinter-calls.default.other.c9'],
        ] as const;
        for (const [stream, subject] of targets) {
          await reflect(at, subject, '{"version":1,"forged":true}');
          const jsm = await hubManager(world.operator);
          assert.equal(await jsm.direct.getMessage(stream, { last_by_subj: subject }), null);
        }
      });

      it(`put nothing into another's queue, at ${at}`, async () => {
        await empty(asyncStream(other, 'x'));
        await reflect(at, workSubject(other, 'x', '_gateway', 'r1'), 'forged');
        assert.equal((await info(asyncStream(other, 'x'))).state.messages, 0);
      });

      it(`settle nobody else's work, at ${at}`, async () => {
        await empty(asyncStream(other, 'x'));
        await operator().publish(workSubject(other, 'x', '_gateway', crypto.randomUUID()), 'x');
        const x = await world.connectUnit(units.ux, { at });
        const taken = await pullOne(x, units.ux, asyncStream(other, 'x'));
        await reflect(at, taken.reply ?? '', '+TERM');
        assert.equal((await info(asyncStream(other, 'x'))).state.messages, 1);
        await x.request(taken.reply ?? '', '+ACK', { timeout: 3000 });
        assert.equal((await info(asyncStream(other, 'x'))).state.messages, 0);
      });

      it(`reach another function only as what its host can tell apart, at ${at}`, async () => {
        const subject = callSubject(traffic, 'r1', 'c');
        const c = await world.connectUnit(units.u3, { at });
        const received: Msg[] = [];
        c.subscribe(subject, { queue: 'fn', callback: (_, msg) => void received.push(msg) });
        await c.flush();
        await empty(asyncStream(traffic, 'q'));
        await reflect(at, subject, 'forged');
        await eventually(
          () => received.length > 0,
          'nothing arrived: the rule in the host has become needless',
        );
        for (const msg of received) {
          const isOwn = msg.subject === subject && 'head' in readCall(msg.headers, msg.data);
          assert.equal(isOwn, false, `${msg.subject} ${msg.string()}`);
        }
        await c.close();
      });
    }
  });
});
