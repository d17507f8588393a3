/** What a careless or hostile client, or a broken record, can do: nothing but to itself. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { PAYLOAD_LIMIT_BYTES, ROUTES_BUCKET, kvSubject } from '@sinter/contract';
import { SERVER_LIMITS } from '../src/index.ts';
import type { Gateway } from '../src/index.ts';
import { createHttpServer } from '../src/server.ts';
import { JSON_HEADERS, WITH_TOKEN, WORKFLOW, ask, entry, route, startRig, trigger, until } from './rig.ts';
import type { Rig } from './rig.ts';

const LIMITS = { ...SERVER_LIMITS, headersTimeoutMs: 400, requestTimeoutMs: 800, answerTimeoutMs: 400 };

describe('against the gateway', () => {
  let rig: Rig;
  let gateway: Gateway;
  before(async () => {
    rig = await startRig();
    await rig.putRoute(route());
    await rig.putEntry(
      entry({
        triggers: [
          trigger(),
          trigger({ name: 'slow', path: '/slow', to: 'slow' }),
          trigger({ name: 'hang', path: '/hang', to: 'hang' }),
        ],
      }),
    );
    await rig.startUnit(['r1']);
    gateway = await rig.startGateway({}, LIMITS);
  });
  after(() => rig.stop());

  /** Everything that comes back over one connection until the server closes it, or `enough` has come. */
  const talk = (text: string | Buffer, enough = (_: string): boolean => false): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(gateway.address.port, gateway.address.host, () => socket.write(text));
      let got = '';
      const limit = setTimeout(() => {
        socket.destroy();
        reject(new Error(`still open after 5 s, got: ${got}`));
      }, 5_000);
      const end = (): void => {
        clearTimeout(limit);
        socket.destroy();
        resolve(got);
      };
      socket.on('data', (chunk) => {
        got += chunk.toString('latin1');
        if (enough(got)) end();
      });
      socket.on('error', () => undefined);
      socket.on('close', end);
    });

  const CLOSE = 'Host: x\r\nConnection: close\r\n';
  const statuses = (text: string): readonly string[] =>
    [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((m) => m[1] ?? '');

  describe('what is no good HTTP is refused', () => {
    const rows: Record<string, [string, string]> = {
      garbage: ['\x00\x01\x02 garbage\r\n\r\n', '400'],
      'a TLS hello': ['\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', '400'],
      'HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400'],
      'a method that is none': [`BREW /traffic HTTP/1.1\r\n${CLOSE}\r\n`, '400'],
      'no host': ['POST /traffic HTTP/1.1\r\nConnection: close\r\n\r\n', '400'],
      'length and chunks': [
        `POST /traffic HTTP/1.1\r\n${CLOSE}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        '400',
      ],
      'two lengths': [
        `POST /traffic HTTP/1.1\r\n${CLOSE}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
        '400',
      ],
      'a negative length': [`POST /traffic HTTP/1.1\r\n${CLOSE}Content-Length: -1\r\n\r\n`, '400'],
      'a chunk that is none': [
        `POST /traffic HTTP/1.1\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
        '400',
      ],
      'a bare line feed in a header': [`POST /traffic HTTP/1.1\r\n${CLOSE}X: a\nY: b\r\n\r\n`, '400'],
      'a zero byte in the path': [`POST /tra\x00ffic HTTP/1.1\r\n${CLOSE}\r\n`, '400'],
      'headers without end': [`POST /traffic HTTP/1.1\r\n${CLOSE}X: ${'a'.repeat(20_000)}\r\n\r\n`, '431'],
      'a path without end': [`POST /${'a'.repeat(20_000)} HTTP/1.1\r\n${CLOSE}\r\n`, '431'],
      'an asterisk': [`OPTIONS * HTTP/1.1\r\n${CLOSE}\r\n`, '400'],
      'another scheme': [`POST file:///etc/passwd HTTP/1.1\r\n${CLOSE}\r\n`, '400'],
      'a whole address of the path': [`POST http://elsewhere/traffic HTTP/1.1\r\n${CLOSE}\r\n`, '200'],
      'an upgrade that nobody offers': [
        `POST /traffic HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n`,
        '200',
      ],
    };
    for (const [name, [text, status]] of Object.entries(rows))
      it(name, async () => {
        assert.deepEqual(statuses(await talk(text)), [status]);
      });

    it('a tunnel', async () => {
      assert.equal(await talk(`CONNECT elsewhere:443 HTTP/1.1\r\n${CLOSE}\r\n`), '');
    });
  });

  it('requests in a row over one connection are answered in their order', async () => {
    const one = (body: string): string =>
      `POST /traffic HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;
    const got = await talk(one('first') + one('second') + one('third'), (text) => text.includes('third'));
    assert.deepEqual(statuses(got), ['200', '200', '200']);
    assert.ok(got.indexOf('first') < got.indexOf('second') && got.indexOf('second') < got.indexOf('third'));
  });

  it('nothing of a good answer is spoilt by garbage behind its request', async () => {
    const good =
      'POST /slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"ms":100}';
    const got = await talk(`${good}\x00garbage\r\n\r\n`);
    assert.ok(statuses(got).length <= 1, got);
  });

  describe('who is slow loses the connection', () => {
    it('at the headers', async () => {
      assert.deepEqual(statuses(await talk('POST /traffic HTTP/1.1\r\nHost: x\r\nX-')), ['408']);
    });
    it('at the body', async () => {
      const head = `POST /traffic HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc`;
      assert.deepEqual(statuses(await talk(head)), ['408']);
    });
    it('at taking the answer', async () => {
      const server = createHttpServer((_req, res) => res.end(Buffer.alloc(32 * 1024 * 1024)), LIMITS);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const client = connect(port, '127.0.0.1', () =>
        client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      ).pause();
      const [socket] = (await once(server, 'connection')) as [Socket];
      await once(socket, 'close', { signal: AbortSignal.timeout(5_000) });
      client.destroy();
      server.close();
    });
    it('but not while its call runs', async () => {
      const a = await ask(gateway, '/slow', { headers: JSON_HEADERS, body: '{"ms":1500}' });
      assert.equal(a.status, 200);
    });
  });

  it('who asks first is told before sending', async () => {
    const head = `POST /traffic HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: `;
    const refused = await talk(`${head}${String(PAYLOAD_LIMIT_BYTES + 1)}\r\n\r\n`);
    assert.deepEqual(statuses(refused), ['413']);
    const invited = await talk(`${head}0\r\n\r\n`);
    assert.deepEqual(statuses(invited), ['100', '200']);
  });

  it('who leaves at every stage leaves nothing behind', async () => {
    const stages = [
      'P',
      'POST /hang HTTP/1.1\r\n',
      'POST /hang HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc',
    ];
    for (const text of stages)
      await new Promise<void>((resolve) => {
        const socket = connect(gateway.address.port, gateway.address.host, () => {
          socket.write(text, () => socket.destroy());
        });
        socket.on('close', () => {
          resolve();
        });
      });
    assert.equal((await ask(gateway, '/traffic')).status, 200);
  });

  describe('names are only looked up', () => {
    const paths = [
      '/call/__proto__/constructor/toString',
      '/call/*/*/*',
      '/call/>/traffic/echo',
      '/call/default/traffic/%2e%2e',
      '/call/default/traffic/echo%00',
      '/call/default/traffic/echo.x',
      '/call/default/traffic/_gateway',
      '/call/default.traffic/x/echo',
      '/call//traffic/echo',
      '/call/default/traffic/',
    ];
    for (const path of paths)
      it(path, async () => {
        const a = await ask(gateway, path, { headers: WITH_TOKEN });
        assert.equal(a.status, 404, a.body.toString());
      });
  });

  describe('odd but valid JSON arrives as it is', () => {
    const rows = {
      deep: '['.repeat(50_000) + ']'.repeat(50_000),
      proto: '{"__proto__":{"a":1},"constructor":2}',
      'a lone surrogate, escaped': '"\\ud800"',
      'large numbers': '123456789012345678901234567890',
      'white space': ' \n\t1 ',
    };
    for (const [name, body] of Object.entries(rows))
      it(name, async () => {
        const a = await ask(gateway, '/traffic', { headers: JSON_HEADERS, body });
        assert.equal(a.status, 200);
        assert.equal(a.body.toString(), body);
      });
    it('deep and broken is refused', async () => {
      const a = await ask(gateway, '/traffic', { headers: JSON_HEADERS, body: '['.repeat(100_000) });
      assert.equal(a.status, 400);
    });
    it('with a byte order mark is refused', async () => {
      assert.equal((await ask(gateway, '/traffic', { headers: JSON_HEADERS, body: '\ufeff1' })).status, 400);
    });
  });

  describe('odd headers', () => {
    const rows: Record<string, [Record<string, string>, number]> = {
      'a type that is none': [{ 'content-type': ';;;' }, 200],
      'an empty type': [{ 'content-type': '' }, 200],
      'a type without end': [{ 'content-type': `text/${'a'.repeat(300)}` }, 415],
      'a trace without end': [{ traceparent: 'a'.repeat(4_000) }, 200],
      'a preference without end': [{ prefer: ',;='.repeat(1_000) }, 200],
      'a timeout without end': [{ 'x-sinter-timeout-seconds': '9'.repeat(4_000) }, 400],
      'the longest timeout': [{ 'x-sinter-timeout-seconds': '999999999' }, 200],
      'a host that is none': [{ host: '[::' }, 200],
      'an empty bearer': [{ authorization: 'Bearer ' }, 200],
      'our own headers': [{ 'sinter-caller': 'echo', 'sinter-revision': 'r9', 'sinter-hops': '99' }, 200],
    };
    for (const [name, [headers, status]] of Object.entries(rows))
      it(name, async () => {
        const a = await ask(gateway, '/traffic', { headers, body: 'x' });
        assert.equal(a.status, status, a.body.toString());
      });
  });

  describe('a record that cannot be read changes nothing', () => {
    const key = `${WORKFLOW.namespace}.${WORKFLOW.workflow}`;
    const good = entry();
    const rows: Record<string, [string, unknown]> = {
      'no JSON': [key, '{'],
      'no object': [key, '[]'],
      'a route without revisions': [key, { ...route({ generation: 2 }), revisions: undefined }],
      'a revision without units': [key, { ...route({ generation: 2 }), revisions: { r1: {} } }],
      'a route of a far version': [key, { ...route({ generation: 2 }), version: 99 }],
      'an older generation': [key, route({ generation: 0, current: '' })],
      'an entry without triggers': [`_gateway.${key}`, { ...good, triggers: undefined }],
      'an auth that lacks what it needs': [
        `_gateway.${key}`,
        { ...good, triggers: [{ ...trigger(), auth: { type: 'Jwt' } }] },
      ],
      'an auth without a type': [`_gateway.${key}`, { ...good, triggers: [{ ...trigger(), auth: {} }] }],
      'no auth': [`_gateway.${key}`, { ...good, triggers: [{ ...trigger(), auth: undefined }] }],
    };
    for (const [name, [at, value]] of Object.entries(rows))
      it(name, async () => {
        const before = rig.problems.length;
        const bytes = typeof value === 'string' ? value : JSON.stringify(value);
        rig.nc.publish(kvSubject(ROUTES_BUCKET, at), bytes);
        await rig.nc.flush();
        if (name !== 'an older generation')
          await until('it is reported', () => rig.problems.slice(before).some((p) => p.includes(at)));
        assert.equal((await ask(gateway, '/traffic')).status, 200);
      });

    it('also to a gateway that starts with it', async () => {
      const late = await rig.startGateway({ instance: 'g2' });
      assert.equal((await ask(late, '/-/readyz', { method: 'GET' })).status, 200);
      assert.equal((await ask(late, '/traffic')).status, 404);
      await late.stop(0);
    });
  });
});
