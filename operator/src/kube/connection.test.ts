/** Logging in against a real TLS server with a CA of its own: by token files, client certificates and exec plugins. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { stringify } from 'yaml';
import { newAuthority, newServerCertificate } from '../bus/certificates.ts';
import { kubeClient } from './client.ts';
import { connection, inCluster, type Connection } from './connection.ts';
import { KINDS } from './objects.ts';
import { ManualClock } from './testClock.ts';
import { configMap } from './testServer.ts';

let folder: string;
let server: Server;
let url: string;
/** PEM. */
let ca: string;
let user: { readonly certificate: string; readonly key: string };
/** Who asked, in the order of the requests: token and common name of the certificate. */
const asked: { readonly token: string | undefined; readonly name: string | undefined }[] = [];
const refused = new Set<string>();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sinter-kube-'));
  const authority = await newAuthority(Date.now());
  ca = authority.certificate;
  const host = await newServerCertificate(
    authority,
    { dns: ['localhost', 'kube.test'], isClientToo: false },
    Date.now(),
  );
  user = await newServerCertificate(authority, { dns: ['me'], isClientToo: true }, Date.now());
  const tls = { cert: host.certificate, key: host.key, ca, requestCert: true, rejectUnauthorized: false };
  server = createServer(tls, ({ headers, socket }, response) => {
    const token = headers.authorization?.replace('Bearer ', '');
    assert.ok(socket instanceof TLSSocket);
    const { subject } = socket.getPeerCertificate() as { subject?: { CN?: string } };
    asked.push({ token, name: subject?.CN });
    response.statusCode = refused.has(token ?? '') ? 401 : 200;
    response.end(JSON.stringify(configMap('one', '1')));
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}`;
});

after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

async function ask(at: Connection): Promise<(typeof asked)[number] | undefined> {
  const client = kubeClient({ connection: at, userAgent: 'test' });
  try {
    await client.get(KINDS.configMaps, { namespace: 'default', name: 'one' });
    return asked.at(-1);
  } finally {
    client.close();
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function kubeconfig(
  name: string,
  change: { cluster?: object; user?: object; more?: object },
): Promise<string> {
  const path = join(folder, name);
  const cluster = { server: `${url}/`, 'certificate-authority-data': base64(ca), ...change.cluster };
  const config = {
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'mine' } }],
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: change.user ?? { token: 'from-file' } }],
    ...change.more,
  };
  await writeFile(path, stringify(config));
  return path;
}

const environment = { PATH: process.env['PATH'] };
const connect = (path: string, context?: string): Promise<Connection> =>
  connection({ environment, kubeconfig: path, context });

test('in a pod: the mounted token, read anew after a minute, the CA, the namespace', async () => {
  const account = await mkdtemp(join(folder, 'account-'));
  await writeFile(join(account, 'ca.crt'), ca);
  await writeFile(join(account, 'namespace'), 'sinter-system\n');
  await writeFile(join(account, 'token'), 'first\n');
  const clock = new ManualClock();
  const pod = { KUBERNETES_SERVICE_HOST: 'localhost', KUBERNETES_SERVICE_PORT: new URL(url).port };
  const at = await inCluster({ environment: pod, clock, folder: account });
  assert.ok(at);
  assert.equal(at.namespace, 'sinter-system');
  assert.deepEqual(await ask(at), { token: 'first', name: undefined });
  await writeFile(join(account, 'token'), 'second');
  assert.equal((await ask(at))?.token, 'first', 'not read at every request');
  const [before, again] = [await at.identity(), await at.identity()];
  assert.equal(before, again);
  clock.advance(60_000);
  assert.equal((await ask(at))?.token, 'second');
  await writeFile(join(account, 'token'), 'third');
  refused.add('second');
  assert.equal((await ask(at))?.token, 'third', 'read at once when it was refused');
});

test('outside a pod there is no service account; IPv6 addresses are written as such', async () => {
  assert.equal(await inCluster({ environment: {} }), undefined);
  const account = await mkdtemp(join(folder, 'account-'));
  for (const name of ['ca.crt', 'namespace', 'token']) await writeFile(join(account, name), 'x');
  const pod = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  assert.equal((await inCluster({ environment: pod, folder: account }))?.server, 'https://[fd00::1]:443');
});

test('a token, a token file, and a client certificate as data or as files beside the kubeconfig', async () => {
  assert.deepEqual(await ask(await connect(await kubeconfig('token', {}))), {
    token: 'from-file',
    name: undefined,
  });
  await writeFile(join(folder, 'my-token'), 'beside');
  const tokenFile = await connect(await kubeconfig('token-file', { user: { tokenFile: 'my-token' } }));
  assert.equal((await ask(tokenFile))?.token, 'beside');
  const data = { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) };
  assert.deepEqual(await ask(await connect(await kubeconfig('cert', { user: data }))), {
    token: undefined,
    name: 'me',
  });
  await writeFile(join(folder, 'my.crt'), user.certificate);
  await writeFile(join(folder, 'my.key'), user.key);
  await writeFile(join(folder, 'ca.crt'), ca);
  const files = await kubeconfig('files', {
    cluster: { 'certificate-authority-data': undefined, 'certificate-authority': 'ca.crt' },
    user: { 'client-certificate': 'my.crt', 'client-key': 'my.key' },
  });
  assert.equal((await ask(await connect(files)))?.name, 'me');
});

test('a server that nobody vouches for is refused, unless that is asked for', async () => {
  const nobody = await kubeconfig('nobody', { cluster: { 'certificate-authority-data': undefined } });
  await assert.rejects(async () => ask(await connect(nobody)), { name: 'NoAnswer' });
  const other = await kubeconfig('other', { cluster: { 'tls-server-name': 'another.test' } });
  await assert.rejects(async () => ask(await connect(other)), { name: 'NoAnswer' });
  const named = await kubeconfig('named', { cluster: { 'tls-server-name': 'kube.test' } });
  assert.ok(await ask(await connect(named)));
  const careless = { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true };
  assert.ok(await ask(await connect(await kubeconfig('careless', { cluster: careless }))));
});

test('an exec plugin is run once, again when its credential ends, and again when it is refused', async () => {
  const script = join(folder, 'plugin');
  const count = join(folder, 'count');
  await writeFile(
    script,
    `#!/bin/sh
echo x >> ${count}
token="$MARK-$(wc -l < ${count} | tr -d ' ')"
echo "{\\"status\\":{\\"token\\":\\"$token\\",\\"expirationTimestamp\\":\\"2026-01-01T00:10:00Z\\"}}"
`,
  );
  await chmod(script, 0o755);
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: './plugin',
    env: [{ name: 'MARK', value: 'run' }],
  };
  const path = await kubeconfig('exec', { user: { exec } });
  const clock = new ManualClock();
  const at = await connection({ environment, kubeconfig: path, clock });
  assert.equal((await ask(at))?.token, 'run-1');
  assert.equal((await ask(at))?.token, 'run-1');
  clock.advance(10 * 60_000);
  assert.equal((await ask(at))?.token, 'run-2');
  const forgotten = await connection({ environment, kubeconfig: path, clock: new ManualClock() });
  refused.add('run-3');
  assert.equal((await ask(forgotten))?.token, 'run-4');
});

test('a plugin that fails says so, with what it said', async () => {
  const exec = { command: 'sh', args: ['-c', 'echo "log in first" >&2; exit 1'] };
  const at = await connect(await kubeconfig('failing', { user: { exec } }));
  await assert.rejects(ask(at), /user 'u': the exec plugin 'sh' failed: log in first/);
  const silent = await connect(
    await kubeconfig('silent', { user: { exec: { command: 'echo', args: ['{}'] } } }),
  );
  await assert.rejects(ask(silent), /neither a token nor a certificate/);
});

test('several files are one config: the first that names a thing has it, and contexts can be chosen', async () => {
  const first = await kubeconfig('first', { more: { users: [], 'current-context': '' } });
  const second = await kubeconfig('second', {
    user: { token: 'of the second' },
    more: {
      clusters: [{ name: 'c', cluster: { server: 'https://198.51.100.1' } }],
      contexts: [{ name: 'there', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'there',
    },
  });
  const both = `${join(folder, 'missing')}:${first}:${second}`;
  const at = await connection({ environment: { ...environment, KUBECONFIG: both } });
  assert.equal(at.server, url);
  assert.equal(at.namespace, 'default');
  assert.equal((await ask(at))?.token, 'of the second');
  assert.equal((await connect(both, 'here')).namespace, 'mine');
});

const WRONG: Readonly<Record<string, readonly [Parameters<typeof kubeconfig>[1], RegExp]>> = {
  'no current context': [
    { more: { 'current-context': undefined } },
    /names no current context; give one with --context/,
  ],
  'an unknown context': [{ more: { 'current-context': 'gone' } }, /has no context 'gone'; it has: here/],
  'an unknown cluster': [{ more: { clusters: [] } }, /has no cluster 'c'; it has: none/],
  'a cluster without a server': [{ cluster: { server: undefined } }, /cluster 'c' in .* has no server/],
  'a proxy': [
    { cluster: { 'proxy-url': 'socks5://x' } },
    /has a proxy-url; Sinter reaches API servers directly only/,
  ],
  'an auth-provider': [
    { user: { 'auth-provider': { name: 'gcp' } } },
    /auth-provider 'gcp', which Kubernetes has retired; use an exec plugin/,
  ],
  'a password': [
    { user: { username: 'me', password: 'x' } },
    /user name and password; use a token, a certificate or an exec plugin/,
  ],
};

for (const [what, [change, message]] of Object.entries(WRONG))
  test(`a kubeconfig with ${what} is refused with what to do`, async () => {
    await assert.rejects(connect(await kubeconfig(`wrong-${what.replaceAll(' ', '-')}`, change)), message);
  });
