/** Names that are taken: what somebody else has made stays as it is. A fake of the wire says what is there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { UnitCredentials } from '../bus/cluster.ts';
import { kubeClient } from '../kube/client.ts';
import { scriptedServer, status } from '../kube/testServer.ts';
import { NO_FAULTS } from './faults.ts';
import { watches } from './stores.ts';
import { NameTaken, Units } from './units.ts';

const OWNER = { namespace: 'n', name: 'w', uid: 'u' };
const LABELS = { 'app.kubernetes.io/managed-by': 'sinter', 'sinter.dev/workflow': 'w' };
const signal = new AbortController().signal;

const policy = (labels: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'n', name: 'sinter-w', uid: 'p', resourceVersion: '1', labels },
  spec: { podSelector: { matchLabels: { app: 'database' } } },
});

/** Guards a workflow where this object is there already. Gives the requests that were made. */
async function guardOver(there: object | undefined): Promise<{ asked: readonly string[]; cause: unknown }> {
  await using server = await scriptedServer((request) => {
    if (request.method !== 'GET') request.reply(200, request.body);
    else if (there) request.reply(200, there);
    else request.reply(404, status(404, 'NotFound'));
  });
  const client = kubeClient({ connection: server.connection, userAgent: 'test' });
  const { stores } = watches({ client, namespace: 'sinter-system', namespaces: [] });
  const units = new Units({
    client,
    stores,
    // Guarding issues nothing.
    credentials: {} as UnitCredentials,
    reports: { announcement: () => undefined },
    settings: () => assert.fail('no pod is made'),
    fault: NO_FAULTS,
  });
  const cause: unknown = await units.guard(OWNER, signal).then(
    () => undefined,
    (error: unknown) => error,
  );
  client.close();
  return { asked: server.asked.map((one) => one.method), cause };
}

describe('a NetworkPolicy of a workflow', () => {
  it('is made where there is none', async () => {
    assert.deepEqual(await guardOver(undefined), { asked: ['GET', 'PATCH'], cause: undefined });
  });

  it('is written where ours is there, and our copy does not show it', async () => {
    assert.deepEqual(await guardOver(policy(LABELS)), { asked: ['GET', 'PATCH'], cause: undefined });
  });

  it("does not overwrite somebody's own of that name", async () => {
    const { asked, cause } = await guardOver(policy({}));
    assert.deepEqual(asked, ['GET']);
    assert.ok(cause instanceof NameTaken);
    assert.match(cause.message, /NetworkPolicy n\/sinter-w .* stays as it is/);
  });

  it("does not overwrite another workflow's", async () => {
    const { asked } = await guardOver(policy({ ...LABELS, 'sinter.dev/workflow': 'v' }));
    assert.deepEqual(asked, ['GET']);
  });
});
