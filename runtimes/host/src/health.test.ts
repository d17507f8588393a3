import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { answerProbes } from './health.ts';

describe('probes', () => {
  let ready = false;
  let server: Server;
  let port = 0;
  before(async () => {
    server = await answerProbes(0, () => ready);
    if (!server.listening) await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(() => {
    server.close();
  });

  /** As a kubelet asks: a new connection each time. */
  const probe = (path: string): Promise<readonly [number | undefined, string]> =>
    new Promise((resolve, reject) => {
      const asking = request({ port, path, agent: false }, (res) => {
        let body = '';
        res.on('data', (bytes: Buffer) => (body += bytes.toString()));
        res.on('end', () => {
          resolve([res.statusCode, body]);
        });
      });
      asking.on('error', reject).end();
    });

  it('of health are answered as long as the loop turns', async () => {
    assert.deepEqual(await probe('/healthz'), [200, 'ok\n']);
    assert.deepEqual(await probe('/healthz?verbose'), [200, 'ok\n']);
  });

  it('of readiness say how it is at that moment', async () => {
    ready = false;
    assert.deepEqual(await probe('/readyz'), [503, 'not ready\n']);
    ready = true;
    assert.deepEqual(await probe('/readyz'), [200, 'ok\n']);
  });

  it('of anything else find nothing', async () => {
    for (const path of ['/', '/healthzz', '/metrics']) assert.equal((await probe(path))[0], 404);
  });
});
