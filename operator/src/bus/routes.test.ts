import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { ROUTES_BUCKET, routeKey } from '@sinter/contract';
import type { EntryRecord, RouteRecord } from '@sinter/contract';
import { startTestBus } from '../local/nats/testBus.ts';
import { provisionBuckets } from './provision.ts';
import { openRoutes } from './routes.ts';
import type { RouteBook } from './routes.ts';

const w = { namespace: 'default', workflow: 'traffic' };
const route = (generation: number): RouteRecord => ({
  ...w,
  ...{ version: 1, generation, current: 'abc', draining: [], revisions: {} },
});
const entry: EntryRecord = {
  ...w,
  ...{ version: 1, expose: 'Triggers', suspended: false, functions: ['a'], triggers: [] },
};

describe('routes have one writer', () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  let nc: NatsConnection;
  let book: RouteBook;
  before(async () => {
    bus = await startTestBus();
    nc = await bus.connectOperator();
    await provisionBuckets(nc);
    book = await openRoutes(nc);
  });
  after(() => bus.stop());

  it('reads what was written, with its sequence', async () => {
    assert.deepEqual(await book.routes.read(w), { sequence: 0, floor: 0 });
    const first = await book.routes.write(route(1), 0);
    assert.ok(first.kind === 'Written');
    assert.deepEqual(await book.routes.read(w), { record: route(1), sequence: first.sequence });
  });

  it('refuses a writer that has not seen the last write', async () => {
    const { sequence } = await book.routes.read(w);
    assert.equal((await book.routes.write(route(2), sequence)).kind, 'Written');
    assert.deepEqual(await book.routes.write(route(3), sequence), { kind: 'Conflict' });
    assert.deepEqual(await book.routes.write(route(3), 0), { kind: 'Conflict' });
    assert.deepEqual(await book.routes.remove(w, sequence), { kind: 'Conflict' });
    assert.deepEqual((await book.routes.read(w)).record, route(2));
  });

  it('deletes, and writes again after it', async () => {
    const { sequence } = await book.routes.read(w);
    const gone = await book.routes.remove(w, sequence);
    assert.ok(gone.kind === 'Written');
    assert.deepEqual(await book.routes.read(w), { sequence: gone.sequence });
    assert.equal((await book.routes.write(route(4), gone.sequence)).kind, 'Written');
  });

  it('keeps entries apart from routes', async () => {
    await book.entries.write(entry, 0);
    assert.deepEqual((await book.entries.read(w)).record, entry);
    assert.deepEqual((await book.routes.read(w)).record, route(4));
  });

  it('keeps the format that other clients of NATS read', async () => {
    const kv = await new Kvm(jetstream(nc, { domain: 'hub' })).open(ROUTES_BUCKET);
    assert.deepEqual((await kv.get(routeKey(w)))?.json(), route(4));
    const { sequence } = await book.routes.read(w);
    await book.routes.remove(w, sequence);
    assert.equal((await kv.get(routeKey(w)))?.operation, 'DEL');
  });
});
