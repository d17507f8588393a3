import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { asyncStream, deadSubject, workSubject } from '@sinter/contract';
import { startTestBus } from '../local/nats/testBus.ts';
import {
  discardNamespace,
  hubManager,
  provisionAsync,
  provisionBuckets,
  provisionNamespace,
} from './provision.ts';

const traffic = { namespace: 'default', workflow: 'traffic' };
const other = { namespace: 'default', workflow: 'traffic-2' };

describe('the bus agrees with what is wanted', () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  let nc: NatsConnection;
  before(async () => {
    bus = await startTestBus();
    nc = await bus.connectOperator();
  });
  after(() => bus.stop());

  const send = (fn: string, callId: string, w = traffic) =>
    jetstream(nc, { domain: 'hub' }).publish(workSubject(w, fn, '_gateway', callId), 'x');

  it('makes buckets once', async () => {
    const first = await provisionBuckets(nc);
    assert.deepEqual(
      first.map((c) => [c.kind, c.stream]),
      [
        ['Created', 'KV_sinter-routes'],
        ['Created', 'KV_sinter-records'],
        ['Created', 'KV_sinter-calls'],
      ],
    );
    assert.deepEqual(await provisionBuckets(nc), []);
  });

  it("makes a namespace's bucket of modules once, and deletes it", async () => {
    assert.equal((await provisionNamespace(nc, 'default'))[0]?.kind, 'Created');
    assert.deepEqual(await provisionNamespace(nc, 'default'), []);
    assert.equal((await discardNamespace(nc, 'default'))[0]?.kind, 'Deleted');
    assert.deepEqual(await discardNamespace(nc, 'default'), []);
  });

  it('makes a stream and its consumer for each async callee, once', async () => {
    const callees = [{ fn: 'store' }, { fn: 'notify' }];
    assert.equal((await provisionAsync(nc, traffic, callees)).length, 4);
    assert.deepEqual(await provisionAsync(nc, traffic, callees), []);
  });

  it('puts back a setting that somebody changed, and says which', async () => {
    const jsm = await hubManager(nc);
    const stream = asyncStream(traffic, 'store');
    const { config } = await jsm.streams.info(stream);
    await jsm.streams.update(stream, { ...config, max_msgs: 10 });
    await jsm.consumers.update(stream, 'work', { max_ack_pending: 3 });
    const changes = await provisionAsync(nc, traffic, [{ fn: 'store' }, { fn: 'notify' }]);
    assert.deepEqual(changes, [
      { kind: 'Updated', stream, fields: ['max_msgs'] },
      { kind: 'Updated', stream, consumer: 'work', fields: ['max_ack_pending'] },
    ]);
  });

  it('keeps a stream that still holds work, removes it when it is empty, and touches no other workflow', async () => {
    await provisionAsync(nc, other, [{ fn: 'store' }]);
    await send('notify', 'c1');
    const stream = asyncStream(traffic, 'notify');
    const kept = await provisionAsync(nc, traffic, [{ fn: 'store' }]);
    assert.deepEqual(kept, [{ kind: 'Kept', stream, messages: 1 }]);
    await (await hubManager(nc)).streams.purge(stream);
    const gone = await provisionAsync(nc, traffic, [{ fn: 'store' }]);
    assert.deepEqual(gone, [{ kind: 'Deleted', stream }]);
    assert.deepEqual(await provisionAsync(nc, other, [{ fn: 'store' }]), []);
  });

  it('keeps what is dead, and does not give it out as work', async () => {
    const js = jetstream(nc, { domain: 'hub' });
    await js.publish(deadSubject(traffic, 'store', '_gateway', 'd1'), 'x');
    await send('store', 'c2');
    const consumer = await js.consumers.get(asyncStream(traffic, 'store'), 'work');
    assert.equal((await consumer.info()).num_pending, 1);
    assert.equal((await provisionAsync(nc, traffic, []))[0]?.kind, 'Kept');
  });

  it('finishes a removal that was cut off, and undoes one that is no longer wanted', async () => {
    const jsm = await hubManager(nc);
    await provisionAsync(nc, other, [{ fn: 'store' }]);
    const stream = asyncStream(other, 'store');
    const cutOff = async () => {
      await jsm.consumers.delete(stream, 'work');
      const { config } = await jsm.streams.info(stream);
      await jsm.streams.update(stream, { ...config, subjects: [deadSubject(other, 'store', '*', '*')] });
    };
    await cutOff();
    const restored = await provisionAsync(nc, other, [{ fn: 'store' }]);
    assert.deepEqual(
      restored.map((c) => [c.kind, c.fields ?? c.consumer]),
      [
        ['Updated', ['subjects']],
        ['Created', 'work'],
      ],
    );
    await cutOff();
    assert.deepEqual(await provisionAsync(nc, other, []), [{ kind: 'Deleted', stream }]);
  });

  it('turns schedules on where calls are held, keeps them, and settles', async () => {
    await provisionAsync(nc, other, [{ fn: 'held' }]);
    const held = [{ fn: 'held', holds: true }];
    assert.deepEqual((await provisionAsync(nc, other, held))[0]?.fields, ['allow_msg_schedules']);
    assert.deepEqual(await provisionAsync(nc, other, held), []);
    assert.deepEqual(await provisionAsync(nc, other, [{ fn: 'held' }]), []);
  });
});
