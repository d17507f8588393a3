/**
 * Faults of an API server that no real one shows when it is asked to: one without Sinter, one that is slow, one that fails,
 * one that refuses. The wire is faked, the tool is real; the real server is asked in `e2e/cluster/cli.test.ts`.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderWith, Sinter, TRAFFIC } from './sinter.ts';

interface Served extends AsyncDisposable {
  /** Starts the tool against the server. */
  start(...words: readonly string[]): Sinter;
  readonly server: string;
}

async function serve(listener: RequestListener): Promise<Served> {
  const folder = await folderWith();
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const config = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
  };
  await folder.write('kubeconfig', JSON.stringify(config));
  const env = { KUBECONFIG: join(folder.path, 'kubeconfig'), XDG_RUNTIME_DIR: folder.path };
  return {
    server: url,
    start: (...words) => new Sinter([...words, '--cluster'], { env }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const status = (code: number, reason: string, message: string): RequestListener => {
  const body = JSON.stringify({ kind: 'Status', apiVersion: 'v1', code, reason, message });
  return (_req, res) => res.writeHead(code, { 'content-type': 'application/json' }).end(body);
};

/** What the server does → what the tool says, with its line ends taken out. */
const FAULTS: Readonly<Record<string, readonly [RequestListener, RegExp]>> = {
  'a cluster without Sinter': [
    (_req, res) => res.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n'),
    /^error: Sinter is not installed in this cluster: it does not serve sinter\.dev\/v1alpha1\. Install the chart/,
  ],
  'a server that knows nobody': [
    status(401, 'Unauthorized', 'Unauthorized'),
    /^error: the API server at \S+ does not know this user \(Unauthorized\); log in again, or choose another context/,
  ],
  'a server that refuses': [
    status(403, 'Forbidden', 'workflows.sinter.dev is forbidden: User "a" cannot list resource'),
    /^error: this user may not do that \(workflows\.sinter\.dev is forbidden: User "a" cannot list resource\); ask who/,
  ],
  'a server that fails': [
    status(500, 'InternalError', 'etcd has no leader'),
    /^error: the API server at \S+ answers 500 InternalError: etcd has no leader; try again/,
  ],
  'something that is no API server': [
    (_req, res) => res.end('<html>hello</html>'),
    /^error: the API server at \S+ answers .*no JSON: <html>hello<\/html>/,
  ],
  'a server that hangs up': [
    (req) => req.socket.destroy(),
    /^error: the API server at \S+ is not reachable \(socket hang up\); is the cluster up, and is this the right context/,
  ],
};

for (const [what, [listener, says]] of Object.entries(FAULTS)) {
  test(`${what} is told in words, with what to do`, async () => {
    await using served = await serve(listener);
    for (const words of [
      ['explain', 'x'],
      ['plan', '-f', TRAFFIC],
      ['invoke', 'x/y'],
    ]) {
      const { code, out, err } = await served.start(...words).ended;
      assert.match(err.replaceAll(/\s+/g, ' '), says);
      assert.ok(
        err.split('\n').every((line) => line.length <= 100),
        err,
      );
      assert.deepEqual([code, out], [1, '']);
    }
  });
}

test('a slow answer is announced, and Ctrl-C ends the wait quietly', { timeout: 60_000 }, async () => {
  await using served = await serve(() => undefined);
  const waiting = served.start('explain', 'x');
  await waiting.until(/waiting for the API server/);
  waiting.process.kill('SIGINT');
  const { code, out, err } = await waiting.ended;
  assert.equal(err, `waiting for the API server at ${served.server} …\n`);
  assert.deepEqual([code, out], [130, '']);
});

/** A Workflow that runs its second plan, with one that waits; keeps the patches that it is sent. */
function workflowWithPlans(patches: string[]): RequestListener {
  const workflow = {
    apiVersion: 'sinter.dev/v1alpha1',
    kind: 'Workflow',
    metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1' },
    spec: { functions: [{ name: 'a' }], planRef: { hash: '' } },
    status: { plan: { current: 'bbbbbbbbbb' } },
  };
  const plan = (hash: string, status: object): object => ({
    metadata: { name: `web-${hash}`, namespace: 'shop', uid: hash, resourceVersion: '1' },
    spec: { workflowRef: { name: 'web' }, units: [] },
    status,
  });
  const plans = [
    plan('aaaaaaaaaa', { sequence: 1, state: 'Retired' }),
    plan('bbbbbbbbbb', { sequence: 2, state: 'Current', comparison: { baseline: 'aaaaaaaaaa' } }),
    plan('cccccccccc', { sequence: 3, state: 'Proposed' }),
  ];
  const list = { kind: 'WorkflowPlanList', metadata: { resourceVersion: '1' }, items: plans };
  return (req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      if (req.method === 'PATCH') patches.push(`${(req.url ?? '').split('?')[0] ?? ''} ${body}`);
      const answer = (req.url ?? '').includes('/workflowplans') ? list : workflow;
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  };
}

test('approve and revert set planRef of the Workflow, and nothing else', async () => {
  const patches: string[] = [];
  await using served = await serve(workflowWithPlans(patches));
  const path = '/apis/sinter.dev/v1alpha1/namespaces/shop/workflows/web';
  const patched = (hash: string): string => `${path} ${JSON.stringify({ spec: { planRef: { hash } } })}`;
  const approved = await served.start('approve', 'web').ended;
  assert.deepEqual([approved.code, approved.err], [0, '']);
  assert.match(
    approved.out,
    /^shop\/web: planRef is cccccccccc, it was empty; bbbbbbbbbb runs until it is ready$/m,
  );
  const reverted = await served.start('revert', 'web', '--json').ended;
  assert.deepEqual(JSON.parse(reverted.out), {
    namespace: 'shop',
    workflow: 'web',
    planRef: 'aaaaaaaaaa',
    was: '',
    current: 'bbbbbbbbbb',
  });
  assert.deepEqual(patches, [patched('cccccccccc'), patched('aaaaaaaaaa')]);
  const any = await served.start('approve', 'web', '--any').ended;
  const unknown = await served.start('approve', 'web', 'dddddddddd').ended;
  assert.deepEqual(
    [any.code, unknown.code, patches.length],
    [0, 1, 2],
    'what stands there already is not written',
  );
  assert.match(unknown.err, /there is no plan 'dddddddddd' of shop\/web; there are aaaaaaaaaa \(Retired\)/);
});
