/** The API server that the tests of a cluster talk to: the one of KUBECONFIG, which `npm run test:cluster` sets. */
import { randomBytes } from 'node:crypto';
import { kubeClient } from '../../operator/src/kube/client.ts';
import type { KubeClient } from '../../operator/src/kube/client.ts';
import { connection } from '../../operator/src/kube/connection.ts';
import { KINDS } from '../../operator/src/kube/objects.ts';

export const FIELD_MANAGER = 'sinter-e2e';

export async function clusterClient(): Promise<KubeClient> {
  const path = process.env['KUBECONFIG'] ?? '';
  if (path === '') throw new Error('KUBECONFIG is not set: these tests run by `npm run test:cluster`');
  return kubeClient({ connection: await connection({ environment: process.env }), userAgent: FIELD_MANAGER });
}

/** Makes a namespace that nobody else uses; whoever makes it deletes it. */
export async function newNamespace(client: KubeClient, prefix: string): Promise<string> {
  const name = `e2e-${prefix}-${randomBytes(3).toString('hex')}`;
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  await client.create(KINDS.namespaces, object, { fieldManager: FIELD_MANAGER });
  return name;
}
