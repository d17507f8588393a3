import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { jetstream } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import type { UnitScope } from '@sinter/contract';
import { fetchModule } from '../../../runtimes/bus/src/modules.ts';
import { startTestBus } from '../local/nats/testBus.ts';
import { putModule } from './modules.ts';
import { provisionNamespace } from './provision.ts';

const unit: UnitScope = {
  ...{ namespace: 'default', workflow: 'traffic', unit: 'u1' },
  ...{ functions: ['a'], edges: [], asyncFunctions: [] },
};

describe('modules travel by their hash', () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  let operator: NatsConnection;
  before(async () => {
    bus = await startTestBus({ machines: ['m1'] });
    operator = await bus.connectOperator();
    await provisionNamespace(operator, 'default');
    await provisionNamespace(operator, 'other');
  });
  after(() => bus.stop());

  for (const at of ['hub', 'm1']) {
    for (const size of [0, 1, 512 * 1024, 512 * 1024 + 1, 3_000_000]) {
      it(`a unit at ${at} reads ${size} bytes with its own rights`, async () => {
        const bytes = randomBytes(size);
        const { sha256 } = await putModule(operator, 'default', bytes);
        const nc = await bus.connectUnit(unit, { at });
        assert.equal(Buffer.compare(await fetchModule(nc, 'default', sha256), bytes), 0);
        await nc.close();
      });
    }
  }

  it('writes once', async () => {
    const bytes = Buffer.from('export default async () => 1');
    const first = await putModule(operator, 'default', bytes);
    assert.deepEqual(first, { sha256: createHash('sha256').update(bytes).digest('hex'), written: true });
    assert.deepEqual(await putModule(operator, 'default', bytes), { ...first, written: false });
  });

  it('says what is wrong with a module', async () => {
    const nc = await bus.connectUnit(unit);
    const missing = 'a'.repeat(64);
    await assert.rejects(fetchModule(nc, 'default', missing), { problem: 'NotThere' });
    await assert.rejects(fetchModule(nc, 'default', '../x'), { problem: 'NotThere' });
    const store = await new Objm(jetstream(operator, { domain: 'hub' })).open('sinter-modules-default');
    await store.putBlob({ name: missing }, Buffer.from('something else'));
    await assert.rejects(fetchModule(nc, 'default', missing), { problem: 'Corrupt', message: /sha256/ });
    await store.delete(missing);
    await assert.rejects(fetchModule(nc, 'default', missing), { problem: 'NotThere', message: /removed/ });
  });

  it("cannot read another namespace's", async () => {
    const { sha256 } = await putModule(operator, 'other', Buffer.from('secret'));
    const nc = await bus.connectUnit(unit, { at: 'm1' });
    await assert.rejects(fetchModule(nc, 'other', sha256), /Permissions Violation/);
  });
});
