/**
 * What the operator's ServiceAccount can do to Secrets that are not Sinter's, asked of a real API server with the chart's RBAC
 * and its ValidatingAdmissionPolicy: nothing, and no answer tells what is in one. What it must do, it can.
 */
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import type { KubeClient } from '../../operator/src/kube/client.ts';
import { connection } from '../../operator/src/kube/connection.ts';
import { KINDS } from '../../operator/src/kube/objects.ts';
import { CHART, NO_HELM, runHelm } from '../../test/chart/helm.ts';
import { clusterClient, newNamespace } from './client.ts';
import { kubectl } from './harness.ts';

const PASSWORD = 'correct-horse';
const ENCODED = Buffer.from(PASSWORD).toString('base64');
const UNIT = 'sinter.dev/unit-credential';
const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const APPLY = 'application/apply-patch+yaml';
const PATIENCE_MS = 60_000;

interface Asked {
  readonly method: string;
  /** Below the Secrets of the namespace. */
  readonly path?: string;
  readonly namespace?: string;
  readonly body?: unknown;
  readonly type?: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

describe('the operator and the Secrets of others', { skip: NO_HELM }, () => {
  let client: KubeClient;
  let own = '';
  let tenant = '';
  let objects = '';

  before(async () => {
    client = await clusterClient();
    own = await newNamespace(client, 'guard');
    tenant = await newNamespace(client, 'tenant');
    const templates = ['serviceaccount', 'rbac', 'secretguard'].flatMap((t) => [
      '--show-only',
      `templates/operator/${t}.yaml`,
    ]);
    const rendered = await runHelm(['template', 'sinter', CHART, '--namespace', own, ...templates]);
    objects = rendered.stdout;
    await kubectl(['apply', '-f', '-'], { input: objects });
    const plain = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'plain', namespace: tenant },
      data: { password: ENCODED },
    };
    await kubectl(['apply', '-f', '-'], { input: JSON.stringify(plain) });
    // The server takes up a policy a moment after it is stored.
    await until(
      async () => (await asOperator({ method: 'POST', body: secret('probe', 'Opaque') })).status === 403,
    );
  });
  after(async () => {
    await kubectl(['delete', '--ignore-not-found', '--wait=false', '-f', '-'], { input: objects });
    for (const name of [own, tenant]) await client.delete(KINDS.namespaces, { name });
  });

  const secret = (name: string, type: string, data: object = {}): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: tenant },
    type,
    data,
  });

  const asOperator = (asked: Asked): Promise<Answer> =>
    ask({ namespace: tenant, ...asked }, `system:serviceaccount:${own}:sinter-operator`);

  const REFUSED: readonly (readonly [string, () => Asked])[] = [
    ['reading one', () => ({ method: 'GET', path: '/plain' })],
    ['listing them', () => ({ method: 'GET' })],
    ['making one of another type', () => ({ method: 'POST', body: secret('other', 'Opaque') })],
    ['replacing one', () => ({ method: 'PUT', path: '/plain', body: secret('plain', 'Opaque') })],
    [
      'replacing one in trial',
      () => ({ method: 'PUT', path: '/plain?dryRun=All', body: secret('plain', 'Opaque') }),
    ],
    ['turning one into a credential', () => ({ method: 'PUT', path: '/plain', body: secret('plain', UNIT) })],
    [
      'replacing one by what is no Secret',
      () => ({ method: 'PUT', path: '/plain', body: { kind: 'X', apiVersion: 'y' } }),
    ],
    ['deleting one', () => ({ method: 'DELETE', path: '/plain' })],
    ['deleting one in trial', () => ({ method: 'DELETE', path: '/plain?dryRun=All' })],
    ['deleting all', () => ({ method: 'DELETE' })],
    [
      'applying nothing, which answers with the object',
      () => ({ method: 'PATCH', path: '/plain?fieldManager=x', type: APPLY, body: secretHead('plain') }),
    ],
    ['patching nothing', () => ({ method: 'PATCH', path: '/plain', type: MERGE_PATCH, body: {} })],
    [
      'a patch whose error quotes the content',
      () => ({
        method: 'PATCH',
        path: '/plain',
        type: JSON_PATCH,
        body: [{ op: 'copy', from: '/data/password', path: '/type' }],
      }),
    ],
    [
      'a patch whose error quotes all',
      () => ({ method: 'PATCH', path: '/plain', type: MERGE_PATCH, body: { apiVersion: 'none/v1' } }),
    ],
    [
      'a patch that asks whether it is this word',
      () => ({
        method: 'PATCH',
        path: '/plain',
        type: JSON_PATCH,
        body: [{ op: 'test', path: '/data/password', value: ENCODED }],
      }),
    ],
  ];

  const secretHead = (name: string): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: tenant },
  });

  for (const [what, asked] of REFUSED)
    it(`is refused: ${what}`, async () => {
      const answer = await asOperator(asked());
      assert.ok(answer.status >= 400 && answer.status < 500, answer.text);
      assert.ok(!answer.text.includes(ENCODED) && !answer.text.includes(PASSWORD), answer.text);
    });

  it('and afterwards nothing has changed', async () => {
    const { status, text } = await ask({ method: 'GET', path: '/plain', namespace: tenant });
    assert.equal(status, 200);
    assert.deepEqual((JSON.parse(text) as { data: unknown }).data, { password: ENCODED });
  });

  it('it makes, replaces and deletes credentials of units, which it cannot read either', async () => {
    const made = await asOperator({ method: 'POST', body: secret('unit', UNIT, { jwt: 'YQ==' }) });
    assert.equal(made.status, 201, made.text);
    const replaced = await asOperator({
      method: 'PUT',
      path: '/unit',
      body: secret('unit', UNIT, { jwt: 'Yg==' }),
    });
    assert.equal(replaced.status, 200, replaced.text);
    assert.equal((await asOperator({ method: 'GET', path: '/unit' })).status, 403);
    assert.equal((await asOperator({ method: 'DELETE', path: '/unit' })).status, 200);
  });

  it('in its own namespace it is free', async () => {
    const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: own } };
    assert.equal((await asOperator({ method: 'POST', namespace: own, body })).status, 201);
    assert.equal((await asOperator({ method: 'GET', namespace: own, path: '/keys' })).status, 200);
  });

  it('others are not held back', async () => {
    assert.equal(
      (await ask({ method: 'POST', namespace: tenant, body: secret('another', 'Opaque') })).status,
      201,
    );
  });
});

/** One request, as it is, under our own identity or somebody else's. */
async function ask({ method, path = '', namespace = '', body, type }: Asked, user?: string): Promise<Answer> {
  const server = await connection({ environment: process.env });
  const { headers, tls } = await server.identity();
  const url = `${server.server}/api/v1/namespaces/${namespace}/secrets${path}`;
  const all = {
    ...headers,
    'Content-Type': type ?? 'application/json',
    ...(user ? { 'Impersonate-User': user } : {}),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: all, ...tls }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > limit) throw new Error('the policy was not in force within a minute');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
