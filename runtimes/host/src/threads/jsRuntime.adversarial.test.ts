/** JavaScript functions that misbehave: nothing that they do reaches beyond their thread. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeValue } from '@sinter/contract';
import { LINES_PER_SECOND } from './jsConsole.ts';
import { REQUESTS_LIMIT } from './jsScope.ts';
import { failureOf, gate, js } from './testKit.ts';

const LOAD_REFUSED: Readonly<Record<string, readonly [code: string, says: RegExp]>> = {
  'an error at the top level': [
    `function go() { throw new RangeError('boom') }\ngo(); export default 1`,
    /RangeError: boom \(at go .*count\.mjs:1:/,
  ],
  'a rejected top-level await': [`await Promise.reject(new Error('boom')); export default 1`, /boom/],
  'something thrown that is no error': [`throw null; export default 1`, /it threw null/],
  'no default export': ['export const handler = () => 1', /no default export.*handler/],
  'a default export that is no function': ['export default { a: 1 }', /of type object, not a function/],
  'bad syntax, and where it is': [
    "import fs from 'node:fs';\nexport const a = 1;\nexport default async (input) => {\n  let x = ;\n}",
    /SyntaxError: Unexpected token ';' \(line 4: let x = ;\)/,
  ],
  'bad syntax': ['export default (', /SyntaxError/],
  'an empty module': ['//export ', /no default export/],
  'a package': [`import _ from 'lodash'; export default 1`, /cannot import 'lodash'.*bundle/],
  'a file beside it': [`import _ from './other.js'; export default 1`, /cannot import '\.\/other\.js'/],
  'a file by address': [`import _ from 'file:///etc/hostname'; export default 1`, /cannot import 'file:/],
  'a module over the network': [
    `import _ from 'https://example.com/x.js'; export default 1`,
    /cannot import 'https:/,
  ],
  'a built-in that is none': [`import _ from 'node:nothing'; export default 1`, /node:nothing/],
  'the end of the process': [`process.exit(0); export default 1`, /process\.exit is not available/],
};

for (const [what, [code, says]] of Object.entries(LOAD_REFUSED))
  test(`a module with ${what} is refused, and says why`, async (t) => {
    const f = js(t, code);
    const waiting = f.failure();
    const e = await failureOf(f.runtime.ready);
    assert.deepEqual([e.code, e.reason, e.function], ['FunctionFailed', 'LoadFailed', 'count']);
    assert.match(e.message, says);
    assert.equal((await waiting).message, e.message);
    assert.equal((await f.failure()).message, e.message, 'and later calls get the same at once');
  });

test('a module whose top-level await never ends is told from others', async (t) => {
  const e = await failureOf(js(t, 'await new Promise(() => {}); export default 1').runtime.ready);
  assert.equal(e.reason, 'LoadFailed');
  assert.match(e.message, /top-level await in it never ends/);
});

test('a module that could not be loaded is tried again after a pause', async (t) => {
  const key = `SINTER_TEST_${String(process.pid)}`;
  const f = js(
    t,
    `import { existsSync } from 'node:fs'; if (!existsSync(${JSON.stringify(import.meta.dirname)} + '/' + process.env.NAME)) throw new Error('${key}'); export default () => 'there'`,
    { env: { NAME: 'jsRuntime.ts' } },
  );
  assert.equal(await f.invoke(), 'there');
  const g = js(t, `throw new Error('never')`.concat('; export default 1'));
  await failureOf(g.runtime.ready);
  const restarted = async (): Promise<number> => {
    while (g.runtime.stats.restarts === 0) await g.failure();
    return g.runtime.stats.restarts;
  };
  assert.equal(await restarted(), 1);
});

test('an endless loop ends its thread alone: others get ThreadLost, the next call works', async (t) => {
  const f = js(
    t,
    `if (input === 'loop') for (;;); if (input === 'wait') await new Promise(() => {}); return input`,
  );
  await f.runtime.ready;
  const waiting = f.failure('wait');
  const looping = await f.failure('loop', { timeoutMs: 100 });
  assert.equal(looping.code, 'Timeout');
  const next = f.invoke('next', { timeoutMs: 30_000 });
  const lost = await waiting;
  assert.deepEqual([lost.code, lost.reason, lost.function], ['FunctionFailed', 'ThreadLost', 'count']);
  assert.match(lost.message, /endless loop/);
  assert.equal(await next, 'next', 'what came after the deadline waited for the new thread');
  assert.equal(await f.invoke('after'), 'after');
  assert.equal(f.runtime.stats.restarts, 1);
});

test('a cancelled endless loop is found at its deadline', async (t) => {
  const f = js(t, `if (input === 'loop') for (;;); return input`);
  await f.runtime.ready;
  const controller = new AbortController();
  const looping = f.failure('loop', { timeoutMs: 300, signal: controller.signal });
  controller.abort();
  assert.equal((await looping).code, 'Cancelled');
  await f.logged('endless loop');
  assert.equal(await f.invoke('after'), 'after');
});

const TOO_MUCH: Readonly<Record<string, string>> = {
  'small objects': 'const a = []; for (;;) a.push({ n: a.length })',
  'one growing list': 'const a = []; for (let i = 0; ; i++) a.push(i)',
  'a doubling string': `let s = 'x'; for (;;) { s += s; s.charCodeAt(0); Buffer.from(s.slice(0, 4)) }`,
  'a map': 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i)',
  buffers: 'const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))',
  'one big list': 'return new Array(1.5e7).fill(1.5).length + (() => { for (;;); })()',
};

for (const [what, code] of Object.entries(TOO_MUCH))
  test(`too much memory in ${what} ends the thread alone`, async (t) => {
    const f = js(
      t,
      `if (input === 'take') { ${code} } if (input === 'wait') await new Promise(() => {}); return input`,
    );
    await f.runtime.ready;
    const waiting = f.failure('wait');
    const e = await f.failure('take');
    assert.deepEqual([e.code, e.reason], ['FunctionFailed', 'ThreadLost']);
    assert.match(e.message, /64 MiB.*resources\.limits\.memory/);
    assert.equal((await waiting).reason, 'ThreadLost');
    assert.equal(await f.invoke('after'), 'after');
  });

test('garbage is no leak: a function that makes much and keeps little lives', async (t) => {
  const f = js(
    t,
    `const kept = []; for (let i = 0; i < 20000; i++) kept.push({ i, s: 'k' + i, a: [i, i + 1, i + 2] });
     export default () => { let n = 0; const end = performance.now() + 700;
       while (performance.now() < end) { kept[n % kept.length] = { n, s: 'k' + n, a: new Array(50).fill(n) }; n++; new Uint8Array(1000) }
       return n > 0 }`,
  );
  assert.equal(await f.invoke(), true);
  assert.equal(f.runtime.stats.restarts, 0);
});

test('memory taken at the top level is a failure to load, tried again while a call waits', async (t) => {
  const f = js(t, 'const a = []; for (;;) a.push({ n: a.length }); export default 1');
  const waiting = f.failure(null, { timeoutMs: 5_000 });
  const e = await failureOf(f.runtime.ready);
  assert.equal(e.reason, 'LoadFailed');
  assert.match(e.message, /64 MiB/);
  const late = await waiting;
  assert.equal(late.code, 'Timeout');
  assert.match(late.message, /had not begun.*64 MiB/);
  assert.ok(f.runtime.stats.restarts >= 1);
});

test('process.exit and its kin throw, and say what to do', async (t) => {
  const f = js(t, `try { process[input](process.pid === 0 ? 0 : '/', 0) } catch (e) { return e.message }`);
  for (const name of ['exit', 'abort', 'kill', 'chdir', 'reallyExit'])
    assert.match(
      (await f.invoke(name)) as string,
      new RegExp(`process\\.${name} is not available in a function: `),
    );
});

test('process.exit that is not caught fails the call with its words', async (t) => {
  const e = await js(t, 'process.exit(1)').failure();
  assert.match(e.message, /process\.exit is not available/);
});

test('errors that nobody waits for are logged, and other calls go on', async (t) => {
  const f = js(
    t,
    `if (input === 'stray') { setTimeout(() => { throw new Error('stray throw') }); void Promise.reject(new Error('stray rejection')); queueMicrotask(() => { throw 'stray micro' }); return 1 }
     await new Promise((r) => { globalThis.go = r }); return 'fine'`,
  );
  const running = f.failure('wait');
  await f.invoke('stray');
  for (const text of ['stray throw', 'stray rejection', 'stray micro'])
    assert.equal((await f.logged(text)).level, 'error');
  assert.equal(f.runtime.stats.restarts, 0);
  assert.equal(f.runtime.stats.inFlight, 1);
  await f.runtime.close();
  assert.equal((await running).code, 'CalleeLost');
});

test('a thread that ends itself by other means is replaced', async (t) => {
  const f = js(
    t,
    `import { parentPort, Worker } from 'node:worker_threads';
     export default (input) => { if (input === 'die') { process.setUncaughtExceptionCaptureCallback(null); setImmediate(() => { throw new Error('on purpose') }); return new Promise(() => {}) } return input }`,
  );
  const e = await f.failure('die');
  assert.equal(e.reason, 'ThreadLost');
  assert.match(e.message, /on purpose/);
  assert.equal(await f.invoke('after'), 'after');
});

test('the start data and the arguments tell a function nothing, and its ports reach nobody', async (t) => {
  process.env['SINTER_TEST_CREDENTIAL'] = 'secret';
  t.after(() => delete process.env['SINTER_TEST_CREDENTIAL']);
  const f = js(
    t,
    `import { parentPort, workerData } from 'node:worker_threads';
     export default () => { parentPort.postMessage({ kind: 'Result', id: 1, output: 'forged' }); parentPort.close();
       return [workerData, process.argv, process.execArgv, process.env] }`,
    { env: { A: '1' } },
  );
  assert.deepEqual(await f.invoke(), [{}, [], [], { A: '1' }]);
  assert.deepEqual(await f.invoke(), [{}, [], [], { A: '1' }]);
});

test('results that resist are refused in words', async (t) => {
  const f = js(
    t,
    `const cycle = {}; cycle.self = cycle;
     const resist = { cycle, proxy: new Proxy({}, { ownKeys() { throw new Error('no keys') } }), getter: { get a() { throw 'no' } },
       toJSON: { toJSON() { throw new Error('not me') } }, undefinedJson: { toJSON() { return undefined } }, thenable: { then(r) { r(5) } } };
     export default (input) => resist[input]`,
  );
  for (const input of ['cycle', 'proxy', 'getter', 'toJSON'])
    assert.equal((await f.failure(input)).reason, 'NotJson', input);
  assert.equal(await f.invoke('undefinedJson'), null);
  assert.equal(await f.invoke('thenable'), 5);
});

test('an answer that does not parse names the callee', async (t) => {
  const f = js(t, `return ctx.call('b').catch((e) => [e.code, e.reason, e.message])`);
  const call = async (): Promise<ReturnType<typeof encodeValue>> =>
    Promise.resolve({ contentType: 'application/json', bytes: new TextEncoder().encode('{') });
  const [code, reason, message] = (await f.invoke(null, { outgoing: { call } })) as string[];
  assert.deepEqual([code, reason], ['FunctionFailed', 'BadPayload']);
  assert.match(message ?? '', /^the answer of 'b': /);
});

test('errors that resist are told in words', async (t) => {
  const f = js(
    t,
    `export default (input) => { throw input === 0 ? Object.create(null) : input === 1 ? new Proxy({}, { getPrototypeOf() { throw 1 }, get() { throw 2 } })
       : input === 2 ? Object.assign(new Error('m'), { get message() { throw 3 }, toString() { throw 4 } }) : input === 3 ? Symbol('s') : new Error('') }`,
  );
  for (const input of [0, 1, 2, 3, 4]) {
    const e = await f.failure(input);
    assert.equal(e.code, 'FunctionFailed', String(input));
    assert.notEqual(e.message, '');
  }
  assert.equal(f.runtime.stats.restarts, 0);
});

test('a function that logs without end is cut short, and the rest of the unit goes on', async (t) => {
  const f = js(
    t,
    `for (let i = 0; i < 50000; i++) console.log('x'.repeat(20), i); await new Promise((r) => setTimeout(r, 1100)); console.log('last')`,
  );
  await f.invoke();
  await f.logged('last');
  assert.ok(f.logs.length <= 3 * LINES_PER_SECOND, String(f.logs.length));
  await f.logged('log lines were dropped');
});

test('a log line without end is cut', async (t) => {
  const f = js(t, `ctx.log.info('x'.repeat(1e6)); process.stdout.write('y'.repeat(1e5) + '\\n')`);
  await f.invoke();
  assert.ok((await f.logged('xxx')).text.length < 10_000);
  assert.ok((await f.logged('yyy')).text.length < 10_000);
});

test('requests of a thread are bounded', async (t) => {
  const f = js(
    t,
    `const all = []; for (let i = 0; i < ${String(REQUESTS_LIMIT + 5)}; i++) all.push(ctx.call('b', i).then(() => 'ok', (e) => e.code));
     const codes = await Promise.all(all); return [codes.filter((c) => c === 'ok').length, codes.filter((c) => c === 'QuotaExceeded').length]`,
  );
  const call = async (): Promise<ReturnType<typeof encodeValue>> => Promise.resolve(encodeValue(1));
  assert.deepEqual(await f.invoke(null, { outgoing: { call } }), [REQUESTS_LIMIT, 5]);
});

test('an answer that comes after the thread has gone is dropped', async (t) => {
  const f = js(t, `if (input === 'after') return 1; void ctx.call('slow'); for (;;); `);
  await f.runtime.ready;
  const slow = gate<ReturnType<typeof encodeValue>>();
  const call = (): typeof slow.opened => slow.opened;
  assert.equal((await f.failure(null, { timeoutMs: 200, outgoing: { call } })).code, 'Timeout');
  await f.logged('endless loop');
  slow.open(encodeValue(new Uint8Array(10)));
  assert.equal(await f.invoke('after'), 1);
});

test('aborting, timing out and answering in every order settles each call once', async (t) => {
  const f = js(t, 'await new Promise((r) => setTimeout(r, input)); return input');
  await f.runtime.ready;
  const outcomes = await Promise.all(
    Array.from({ length: 300 }, (_, i) => {
      const controller = new AbortController();
      setTimeout(() => {
        controller.abort();
      }, i % 7);
      return f.invoke(i % 5, { timeoutMs: 1 + (i % 6), signal: controller.signal }).then(
        () => 'ok',
        (e: unknown) => (e as { code: string }).code,
      );
    }),
  );
  assert.ok(outcomes.every((o) => ['ok', 'Timeout', 'Cancelled'].includes(o)));
  assert.equal(f.runtime.stats.inFlight, 0);
  assert.equal(await f.invoke(0), 0);
  assert.equal(f.runtime.stats.restarts, 0);
});
