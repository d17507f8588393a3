/** Requests that are answered with a result or a problem, over the real bus. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { PAYLOAD_LIMIT_BYTES, isCallId } from '@sinter/contract';
import type { Gateway } from '../src/index.ts';
import { JSON_HEADERS, TOKEN, WITH_TOKEN, ask, entry, route, startRig, trigger, until } from './rig.ts';
import type { Answered, Asking, Rig } from './rig.ts';

const sha256 = (s: string): string => createHash('sha256').update(s).digest('hex');

describe('a request becomes a call', () => {
  let rig: Rig;
  let unit: Awaited<ReturnType<Rig['startUnit']>>;
  let gateway: Gateway;
  before(async () => {
    rig = await startRig();
    await rig.putRoute(route());
    await rig.putEntry(
      entry({
        triggers: [
          trigger(),
          trigger({ name: 'get', path: '/traffic', methods: ['GET', 'PUT'] }),
          trigger({ name: 'deep', path: '/deep/', to: 'echo' }),
          trigger({ name: 'deeper', path: '/deep/down/', to: 'fail' }),
          trigger({
            name: 'host',
            path: '/traffic',
            hosts: ['traffic.example', '*.wild.example'],
            to: 'fail',
          }),
          trigger({ name: 'escaped', path: '/gr%C3%B6%C3%9Fe' }),
          trigger({
            name: 'keyed',
            path: '/keyed',
            auth: { type: 'Key', sha256: [sha256('k1'), sha256('k2')] },
          }),
          trigger({ name: 'slow', path: '/slow', to: 'slow' }),
          trigger({ name: 'hang', path: '/hang', to: 'hang' }),
          trigger({ name: 'fail', path: '/fail', to: 'fail' }),
          trigger({ name: 'html', path: '/html', to: 'html' }),
          trigger({ name: 'own', path: '/call/default/traffic/echo' }),
          trigger({ name: 'missing', path: '/missing', to: 'missing' }),
        ],
      }),
    );
    unit = await rig.startUnit(['r1']);
    gateway = await rig.startGateway();
  });
  after(() => rig.stop());

  const problem = (a: Answered, status: number, code: string): Record<string, unknown> => {
    assert.equal(a.status, status, a.body.toString());
    assert.equal(a.headers['content-type'], 'application/problem+json');
    const body = a.json();
    assert.equal(body['code'], code);
    assert.equal(body['status'], status);
    assert.equal(body['type'], `urn:sinter:problem:${code}`);
    assert.ok(typeof body['title'] === 'string' && typeof body['detail'] === 'string');
    return body;
  };

  describe('values go in and come out', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const rows: Record<string, { type?: string; body?: string | Buffer; gives: [string, string | Buffer] }> =
      {
        JSON: {
          type: 'application/json',
          body: '{"a":[1,2.5,null]}',
          gives: ['application/json', '{"a":[1,2.5,null]}'],
        },
        'JSON with a charset': {
          type: 'application/json; charset=UTF-8',
          body: '"ü"',
          gives: ['application/json; charset=UTF-8', '"ü"'],
        },
        'JSON of another name': {
          type: 'application/ld+json',
          body: '1',
          gives: ['application/ld+json', '1'],
        },
        'unicode in JSON': {
          type: 'application/json',
          body: '{"ключ":"値🚗"}',
          gives: ['application/json', '{"ключ":"値🚗"}'],
        },
        'empty JSON is null': { type: 'application/json', body: '', gives: ['application/json', 'null'] },
        'nothing at all is null': { gives: ['application/json', 'null'] },
        text: { type: 'text/plain', body: 'grüße', gives: ['text/plain; charset=utf-8', 'grüße'] },
        'empty text': { type: 'text/plain', body: '', gives: ['text/plain; charset=utf-8', ''] },
        'text with charset': {
          type: 'text/csv;charset=utf-8',
          body: 'a,b',
          gives: ['text/csv;charset=utf-8', 'a,b'],
        },
        bytes: { type: 'application/octet-stream', body: bytes, gives: ['application/octet-stream', bytes] },
        'bytes of a kind': { type: 'image/png', body: bytes, gives: ['image/png', bytes] },
        'empty bytes': {
          type: 'application/octet-stream',
          body: '',
          gives: ['application/octet-stream', ''],
        },
        'what says no type is bytes': { body: bytes, gives: ['application/octet-stream', bytes] },
        'the largest that is allowed': {
          type: 'application/octet-stream',
          body: Buffer.alloc(PAYLOAD_LIMIT_BYTES, 7),
          gives: ['application/octet-stream', Buffer.alloc(PAYLOAD_LIMIT_BYTES, 7)],
        },
      };
    for (const [name, row] of Object.entries(rows))
      it(name, async () => {
        const headers = row.type === undefined ? {} : { 'content-type': row.type };
        const a = await ask(gateway, '/traffic', {
          headers,
          ...(row.body === undefined ? {} : { body: row.body }),
        });
        assert.equal(a.status, 200, a.body.toString());
        assert.equal(a.headers['content-type'], row.gives[0]);
        assert.deepEqual(a.body, Buffer.from(row.gives[1]));
        assert.ok(isCallId(String(a.headers['sinter-call-id'])));
        assert.equal(a.headers['sinter-machine'], 'machine-1');
        assert.equal(a.headers['x-content-type-options'], 'nosniff');
      });
  });

  describe('each request has its answer', () => {
    const rows: Record<string, [string, Asking, number, string?]> = {
      'a trigger': ['/traffic', {}, 200],
      'a trigger with a query': ['/traffic?x=1', {}, 200],
      'the method chooses among triggers of a path': ['/traffic', { method: 'GET' }, 200],
      'a method that no trigger of the path takes': [
        '/traffic',
        { method: 'DELETE' },
        405,
        'MethodNotAllowed',
      ],
      'a path that nobody declared': ['/nothing', {}, 404, 'NoSuchPath'],
      'the root, which nobody declared': ['/', {}, 404, 'NoSuchPath'],
      'below a path without closing slash': ['/traffic/more', {}, 404, 'NoSuchPath'],
      'below a path with closing slash': ['/deep/a/b', {}, 200],
      'the longer prefix wins': ['/deep/down/x', {}, 500, 'FunctionFailed'],
      'a prefix without its slash': ['/deep', {}, 404, 'NoSuchPath'],
      'the host has its own trigger': [
        '/traffic',
        { headers: { host: 'Traffic.Example:8080' } },
        500,
        'FunctionFailed',
      ],
      'a wildcard is one label': ['/traffic', { headers: { host: 'a.wild.example' } }, 500, 'FunctionFailed'],
      'and not two': ['/traffic', { headers: { host: 'a.b.wild.example' } }, 200],
      'an escaped path in another spelling': ['/gr%c3%b6%c3%9fe', {}, 200],
      'an escape that is none': ['/%zz', {}, 400, 'BadRequest'],
      'an escaped slash is no slash': ['/deep%2Fa', {}, 404, 'NoSuchPath'],
      'dots climb nowhere': ['/deep/../traffic', {}, 200],
      'a key in Authorization': ['/keyed', { headers: { authorization: 'Bearer k2' } }, 200],
      'a key in X-Api-Key': ['/keyed', { headers: { 'x-api-key': 'k1' } }, 200],
      'a key with a key that is wrong beside it': [
        '/keyed',
        { headers: { 'x-api-key': 'k1', authorization: 'Bearer no' } },
        200,
      ],
      'no key': ['/keyed', {}, 401, 'NotAllowed'],
      'a wrong key': ['/keyed', { headers: { 'x-api-key': 'k3' } }, 401, 'NotAllowed'],
      'the digest instead of the key': [
        '/keyed',
        { headers: { 'x-api-key': sha256('k1') } },
        401,
        'NotAllowed',
      ],
      'another scheme': ['/keyed', { headers: { authorization: 'Basic azE=' } }, 401, 'NotAllowed'],
      "the run's token is no key": ['/keyed', { headers: WITH_TOKEN }, 401, 'NotAllowed'],
      'a function that is not exposed, without token': ['/call/default/traffic/echo', {}, 401, 'NotAllowed'],
      'with a wrong token': [
        '/call/default/traffic/echo',
        { headers: { authorization: 'Bearer x' } },
        401,
        'NotAllowed',
      ],
      'with the token': ['/call/default/traffic/echo', { headers: WITH_TOKEN }, 200],
      'by GET': [
        '/call/default/traffic/echo',
        { headers: WITH_TOKEN, method: 'GET' },
        405,
        'MethodNotAllowed',
      ],
      'an unknown function': ['/call/default/traffic/none', { headers: WITH_TOKEN }, 404, 'NoSuchFunction'],
      'an unknown workflow': ['/call/default/none/echo', { headers: WITH_TOKEN }, 404, 'NoSuchFunction'],
      'a function that is not on the bus': [
        '/call/default/traffic/private',
        { headers: WITH_TOKEN },
        404,
        'NoSuchFunction',
      ],
      'too many parts': ['/call/default/traffic/echo/x/y', { headers: WITH_TOKEN }, 404, 'NoSuchPath'],
      'too few': ['/call/default/traffic', { headers: WITH_TOKEN }, 404, 'NoSuchPath'],
      'a trigger to a function outside the plan': ['/missing', {}, 503, 'NotDeployed'],
      'a failing function': ['/fail', {}, 500, 'FunctionFailed'],
      'JSON that is none': ['/traffic', { headers: JSON_HEADERS, body: '{"a":}' }, 400, 'BadRequest'],
      'text that is not UTF-8': [
        '/traffic',
        { headers: { 'content-type': 'text/plain' }, body: Buffer.from([0xff]) },
        400,
        'BadRequest',
      ],
      'text in another charset': [
        '/traffic',
        { headers: { 'content-type': 'text/plain; charset=latin1' }, body: 'a' },
        415,
        'UnsupportedMediaType',
      ],
      'a compressed body': [
        '/traffic',
        { headers: { 'content-encoding': 'gzip' }, body: 'a' },
        415,
        'UnsupportedMediaType',
      ],
      'a timeout that is none': [
        '/traffic',
        { headers: { 'x-sinter-timeout-seconds': '-1' } },
        400,
        'BadRequest',
      ],
      'a timeout of zero': ['/traffic', { headers: { 'x-sinter-timeout-seconds': '0' } }, 400, 'BadRequest'],
      'a timeout in words': [
        '/traffic',
        { headers: { 'x-sinter-timeout-seconds': '1e3' } },
        400,
        'BadRequest',
      ],
      'a timeout that is short': [
        '/hang',
        { headers: { 'x-sinter-timeout-seconds': '0.2' } },
        504,
        'Timeout',
      ],
      'async where there is no queue': [
        '/traffic',
        { headers: { prefer: 'respond-async' } },
        409,
        'NotAsync',
      ],
      'async, in words': ['/traffic', { headers: { 'x-sinter-async': 'yes' } }, 400, 'BadRequest'],
      'not async': ['/traffic', { headers: { 'x-sinter-async': 'false', prefer: 'respond-async' } }, 200],
      'a preference of another kind': ['/traffic', { headers: { prefer: 'wait=1, return=minimal' } }, 200],
      'a start deadline on a sync call': [
        '/traffic',
        { headers: { 'x-sinter-start-deadline-seconds': '5' } },
        400,
        'BadRequest',
      ],
      health: ['/-/healthz', { method: 'GET' }, 200],
      readiness: ['/-/readyz', { method: 'GET' }, 200],
      'health by POST': ['/-/healthz', {}, 405, 'MethodNotAllowed'],
      'other paths of the gateway': ['/-/metrics', { method: 'GET' }, 404, 'NoSuchPath'],
    };
    for (const [name, [path, asking, status, code]] of Object.entries(rows))
      it(name, async () => {
        const a = await ask(gateway, path, asking);
        if (code === undefined) assert.equal(a.status, status, a.body.toString());
        else problem(a, status, code);
      });
  });

  it('says what a path takes', async () => {
    const a = await ask(gateway, '/traffic', { method: 'DELETE' });
    assert.equal(a.headers.allow, 'GET, POST, PUT');
  });

  it('says how to authenticate', async () => {
    const missing = await ask(gateway, '/keyed');
    assert.equal(missing.headers['www-authenticate'], 'Bearer realm="sinter"');
    const wrong = await ask(gateway, '/keyed', { headers: { 'x-api-key': 'no' } });
    assert.match(String(wrong.headers['www-authenticate']), /invalid_token/);
  });

  it('names the functions to who may call them', async () => {
    const { detail } = problem(
      await ask(gateway, '/call/default/traffic/nn', { headers: WITH_TOKEN }),
      404,
      'NoSuchFunction',
    );
    assert.match(String(detail), /it has: echo, fail, hang/);
  });

  it('says where JSON goes wrong', async () => {
    const a = await ask(gateway, '/traffic', { headers: JSON_HEADERS, body: '{\n "a": 1,\n}' });
    assert.match(String(problem(a, 400, 'BadRequest')['detail']), /'}' at position 11 \(line 3, column 1\)/);
  });

  it("passes a function's error on, with what is known of it", async () => {
    const body = problem(await ask(gateway, '/fail'), 500, 'FunctionFailed');
    assert.equal(body['function'], 'fail');
    assert.equal(body['reason'], 'Thrown');
    assert.equal(body['detail'], 'on purpose');
    assert.ok(isCallId(String(body['callId'])));
  });

  describe("each of a call's codes has its status", () => {
    const statuses = {
      FunctionFailed: 500,
      EdgeNotDeclared: 500,
      PayloadTooLarge: 500,
      NotAllowed: 403,
      NoSuchFunction: 404,
      Timeout: 504,
      CalleeLost: 502,
      ConnectionLost: 502,
      BusUnavailable: 503,
      Overloaded: 503,
      QuotaExceeded: 429,
      TooManyHops: 508,
      Cancelled: 499,
    };
    for (const [code, status] of Object.entries(statuses))
      it(code, async () => {
        const body = JSON.stringify({ code, message: 'subject fn.default.traffic' });
        const a = await ask(gateway, '/fail', { headers: JSON_HEADERS, body });
        problem(a, status, code);
        assert.equal(a.headers['retry-after'] !== undefined, status === 503 || status === 429);
        if (code === 'BusUnavailable') assert.ok(!a.body.includes('fn.default'), 'no subject is shown');
      });
  });

  it('passes a trace on, and begins one', async () => {
    const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const kept = await ask(gateway, '/traffic', { headers: { traceparent: given } });
    assert.equal(kept.headers['traceparent'], given);
    assert.equal(unit.seen.at(-1)?.call.head.traceparent, given);
    const made = await ask(gateway, '/traffic', { headers: { traceparent: `00-${'0'.repeat(32)}-x` } });
    assert.match(String(made.headers['traceparent']), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assert.equal(unit.seen.at(-1)?.call.head.traceparent, made.headers['traceparent']);
  });

  it('calls as the gateway, at the root', async () => {
    const a = await ask(gateway, '/traffic');
    const head = unit.seen.at(-1)?.call.head;
    assert.ok(head);
    assert.equal(head.caller, '_gateway');
    assert.equal(head.hops, 0);
    assert.equal(head.callId, a.headers['sinter-call-id']);
    assert.equal(head.rootId, head.callId);
    assert.ok(head.timeoutMs > 4_000 && head.timeoutMs <= 5_000);
  });

  it('does not let a function forge headers', async () => {
    const a = await ask(gateway, '/html', { headers: { 'content-type': 'text/plain' }, body: '<b>' });
    assert.equal(a.status, 200);
    assert.equal(a.headers['set-cookie'], undefined);
  });

  it('cancels the call when its client goes away', async () => {
    const before = unit.seen.length;
    const gone = new AbortController();
    const asked = ask(gateway, '/hang', { signal: gone.signal });
    const refused = assert.rejects(asked);
    const started = await until('the callee has it', () => unit.seen[before]);
    gone.abort();
    await refused;
    await until('the callee is told', () => unit.cancelled.includes(started.call.head.callId));
  });

  it('refuses at a declared length, before anything is sent', async () => {
    const a = await ask(gateway, '/traffic', {
      headers: { 'content-length': PAYLOAD_LIMIT_BYTES + 1 },
      body: Buffer.alloc(PAYLOAD_LIMIT_BYTES + 1),
    });
    problem(a, 413, 'PayloadTooLarge');
  });

  it('refuses a stream when it becomes too long', async () => {
    const before = unit.seen.length;
    const a = await ask(gateway, '/traffic', {
      headers: { 'transfer-encoding': 'chunked' },
      body: Buffer.alloc(4 * 1024 * 1024),
    });
    problem(a, 413, 'PayloadTooLarge');
    assert.equal(a.headers.connection, 'close');
    assert.equal(unit.seen.length, before);
  });

  it('exposes every function where the workflow says so, and nothing where it is suspended', async () => {
    await rig.putEntry({ ...entry({ expose: 'All' }), workflow: 'open' });
    await rig.putRoute({ ...route({ current: '' }), workflow: 'open' });
    const a = await until('the entry is known', async () => {
      const got = await ask(gateway, '/call/default/open/echo');
      return got.status === 401 ? undefined : got;
    });
    const body = problem(a, 503, 'NotDeployed');
    assert.match(String(body['detail']), /no plan that runs yet/);
    assert.equal(a.headers['retry-after'], '1');
    problem(await ask(gateway, '/call/default/open/none'), 404, 'NoSuchFunction');
    await rig.putEntry({ ...entry({ expose: 'All', suspended: true }), workflow: 'open' });
    await until('the suspension is known', async () => {
      const got = await ask(gateway, '/call/default/open/echo');
      return got.json()['code'] === 'Suspended';
    });
    await rig.dropEntry({ ...entry(), workflow: 'open' });
    await until(
      'the deletion is known',
      async () => (await ask(gateway, '/call/default/open/echo')).status === 401,
    );
  });

  it('shows nothing of what there is to who has no token, where there is none', async () => {
    const closed = await rig.startGateway({ token: '', instance: 'g2' });
    for (const path of ['/call/default/traffic/echo', '/call/default/traffic/none', '/call/x/y/z'])
      problem(await ask(closed, path, { headers: { authorization: 'Bearer ' } }), 404, 'NoSuchPath');
    await closed.stop(0);
  });

  it('listens on the loopback alone where nothing else was said', () => {
    assert.equal(gateway.address.host, '127.0.0.1');
    assert.notEqual(TOKEN, '');
  });
});
