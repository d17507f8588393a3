import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import { modulesBucket, objectStream } from '@sinter/contract';
import { startTestBus } from '../local/nats/testBus.ts';
import { keptOn, modulesOf, purgeDeleted, removeModule } from './inventory.ts';
import { putModule } from './modules.ts';
import { hubManager, provisionAsync, provisionBuckets, provisionNamespace } from './provision.ts';
import { openRoutes } from './routes.ts';

const routed = { namespace: 'red', workflow: 'routed' };
const entered = { namespace: 'red', workflow: 'entered' };
const queued = { namespace: 'blue', workflow: 'queued' };
const route = { ...routed, version: 1, generation: 1, current: 'x', draining: [], revisions: {} };
const later = () => Date.now() + 60_000;

describe('what the bus keeps', () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  let nc: NatsConnection;
  before(async () => {
    bus = await startTestBus();
    nc = await bus.connectOperator();
    await provisionBuckets(nc);
  });
  after(() => bus.stop());

  it('is told by whose it is', async () => {
    assert.deepEqual(await keptOn(nc), { routed: [], queued: [], namespaces: [] });
    const { routes, entries } = await openRoutes(nc);
    await routes.write(route, 0);
    await entries.write({ ...entered, version: 1, suspend: false, triggers: [] } as never, 0);
    await provisionAsync(nc, queued, [{ fn: 'a' }, { fn: 'b' }]);
    await provisionNamespace(nc, 'green');
    const { routed: both, queued: one, namespaces } = await keptOn(nc);
    assert.deepEqual(
      [...both].sort((a, b) => (a.workflow < b.workflow ? -1 : 1)),
      [entered, routed],
    );
    assert.deepEqual(one, [queued]);
    assert.deepEqual(namespaces, ['green']);
  });

  it('loses marks of deletions that are old, and nothing else', async () => {
    const { routes } = await openRoutes(nc);
    const purge = (beforeMs: number) =>
      Promise.all([routed, entered].map((w) => purgeDeleted(nc, w, beforeMs)));
    assert.deepEqual(await purge(later()), [true, true]);
    assert.equal((await keptOn(nc)).routed.length, 2, 'what lives stays');
    const { sequence } = await routes.read(routed);
    await routes.remove(routed, sequence);
    assert.deepEqual(await purge(Date.now() - 60_000), [false, true]);
    assert.equal((await keptOn(nc)).routed.length, 2, 'what was deleted a moment ago is remembered');
    await purge(later());
    const read = await routes.read(routed);
    assert.equal(read.sequence, 0);
    assert.ok((read.floor ?? 0) > sequence, 'what was written before is still known to be below');
    assert.equal((await keptOn(nc)).routed.length, 1);
    assert.equal((await routes.write(route, 0)).kind, 'Written', 'it can be written anew');
  });

  it('loses a module that is old, which can be put anew', async () => {
    await provisionNamespace(nc, 'red');
    const { sha256 } = await putModule(nc, 'red', Buffer.from('one'));
    const other = await putModule(nc, 'red', Buffer.from('two'));
    assert.deepEqual([...(await modulesOf(nc, 'red'))].sort(), [sha256, other.sha256].sort());
    assert.equal(await removeModule(nc, 'red', sha256, Date.now() - 60_000), false);
    assert.equal(await removeModule(nc, 'red', sha256, later()), true);
    assert.deepEqual(await modulesOf(nc, 'red'), [other.sha256]);
    assert.equal(await removeModule(nc, 'red', sha256, later()), false);
    assert.equal((await putModule(nc, 'red', Buffer.from('one'))).written, true);
  });

  it('leaves nothing of a module that it loses', async () => {
    await provisionNamespace(nc, 'empty');
    const { sha256 } = await putModule(nc, 'empty', Buffer.alloc(2_000_000, 'x'));
    const { streams } = await hubManager(nc);
    const messages = async () => (await streams.info(objectStream(modulesBucket('empty')))).state.messages;
    assert.ok((await messages()) > 2);
    assert.equal(await removeModule(nc, 'empty', sha256, later()), true);
    assert.equal(await messages(), 0);
  });
});
