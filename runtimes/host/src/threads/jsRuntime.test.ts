/** A JavaScript function in its thread: values, ctx, errors, time, cancellation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallError, PAYLOAD_LIMIT_BYTES, encodeValue } from '@sinter/contract';
import { gate, js } from './testKit.ts';

const nested = { call: async (_: string, input: object) => Promise.resolve(input as never) };

test('every kind of value comes through as itself', async (t) => {
  const f = js(t, 'return input');
  const values: readonly unknown[] = [
    ...[null, true, 0, -1.5, '', 'text', 'żółć 🚦 \u0000 \ufeff', [], {}, [1, [2, { a: null }]]],
    { 'a key': 'ü', nested: { list: [1, 'zwei', null] } },
  ];
  for (const value of values) assert.deepEqual(await f.invoke(value), value);
  assert.equal(await f.invoke(undefined), null);
  assert.deepEqual(await f.invoke({ a: undefined, b: 1 }), { b: 1 });
  for (const size of [0, 1, 65_536, PAYLOAD_LIMIT_BYTES])
    assert.deepEqual(await f.invoke(new Uint8Array(size).fill(7)), new Uint8Array(size).fill(7));
});

test('a result says its content type', async (t) => {
  const f = js(t, 'return input.b ? new Uint8Array([1]) : input.t ? "t" : {}');
  const type = async (input: object): Promise<string> => (await f.payload(encodeValue(input))).contentType;
  assert.equal(await type({ b: 1 }), 'application/octet-stream');
  assert.equal(await type({ t: 1 }), 'text/plain');
  assert.equal(await type({}), 'application/json');
});

test('a handler may be synchronous', async (t) => {
  assert.equal(await js(t, 'export default (n) => n + 1').invoke(1), 2);
});

test('bytes: the caller does not see what the function does to its input, nor later to its result', async (t) => {
  const f = js(
    t,
    `let kept = new Uint8Array(0);
     export default (input) => {
       if (input.length === 0) return kept;
       input[0] = 99;
       kept = input;
       return input;
     }`,
  );
  const given = new Uint8Array([1, 2, 3]);
  const first = await f.payload(encodeValue(given));
  assert.deepEqual([...given], [1, 2, 3]);
  assert.deepEqual([...first.bytes], [99, 2, 3]);
  first.bytes[1] = 55;
  assert.deepEqual(await f.invoke(new Uint8Array(0)), new Uint8Array([99, 2, 3]), 'and can give it again');
});

test('bytes: a view of a larger buffer travels alone, and the rest stays', async (t) => {
  const f = js(t, 'return [input.length, input.buffer.byteLength]');
  const large = new Uint8Array(1000).fill(5);
  assert.deepEqual(await f.invoke(large.subarray(10, 20)), [10, 10]);
  assert.equal(large.byteLength, 1000);
  const g = js(t, 'return Buffer.from("pooled").subarray(1, 3)');
  const { bytes } = await g.payload(encodeValue(null));
  assert.equal(Buffer.from(bytes).toString(), 'oo');
  assert.equal(bytes.buffer.byteLength, 2);
});

test('ctx has the environment, the call id and is the whole process.env', async (t) => {
  const f = js(t, 'return { ctx: ctx.env, process: { ...process.env }, callId: ctx.callId }', {
    env: { LEVEL: 'info', NODE_OPTIONS: '--no-such-flag' },
  });
  const env = { LEVEL: 'info', NODE_OPTIONS: '--no-such-flag' };
  assert.deepEqual(await f.invoke(null, { callId: 'abc' }), { ctx: env, process: env, callId: 'abc' });
});

test('ctx works in pieces, and its env cannot be changed', async (t) => {
  const f = js(
    t,
    `const { call, env, signal, log } = ctx; try { env.A = 2 } catch {} ; log.info('x', { a: 1 }); return [await call('b', input), env.A, signal.aborted]`,
    { env: { A: '1' } },
  );
  assert.deepEqual(await f.invoke({ n: 1 }, { outgoing: nested }), [{ n: 1 }, '1', false]);
  assert.deepEqual(await f.logged('x'), { level: 'info', text: 'x { a: 1 }', by: 'call' });
});

test('calls interleave', async (t) => {
  const f = js(
    t,
    `let arrived = 0; let all; const together = new Promise((r) => { all = r });
     export default async (n) => { if (++arrived === 500) all(); await together; return n * 2 }`,
  );
  const results = await Promise.all(Array.from({ length: 500 }, (_, n) => f.invoke(n)));
  assert.deepEqual(
    results,
    Array.from({ length: 500 }, (_, n) => n * 2),
  );
  assert.equal(f.runtime.stats.inFlight, 0);
});

test('nested calls give the callee, its input and the time that was allowed', async (t) => {
  const f = js(
    t,
    `const [a, b] = await Promise.all([ctx.call('a', input), ctx.call('b', 'text', { timeoutSeconds: 1.5 })]);
     return { a, b }`,
  );
  const seen: unknown[] = [];
  const result = await f.invoke(
    { n: 1 },
    {
      outgoing: {
        call: async (callee, input, { timeoutMs }) => {
          seen.push([callee, input.contentType, timeoutMs]);
          return Promise.resolve(encodeValue(`from ${callee}`));
        },
      },
    },
  );
  assert.deepEqual(result, { a: 'from a', b: 'from b' });
  assert.deepEqual(seen, [
    ['a', 'application/json', undefined],
    ['b', 'text/plain', 1500],
  ]);
});

test("a callee's answer is not shared with whoever else holds it", async (t) => {
  const answer = encodeValue(new Uint8Array([1, 2, 3]));
  const f = js(t, `const r = await ctx.call('a'); r[0] = 9; return r`);
  const outgoing = { call: async () => Promise.resolve(answer) };
  assert.deepEqual(await f.invoke(null, { outgoing }), new Uint8Array([9, 2, 3]));
  assert.deepEqual([...answer.bytes], [1, 2, 3]);
});

test('send passes key and deadline and gives the id', async (t) => {
  const f = js(t, `return ctx.send('b', { n: 1 }, { key: 'k', startDeadlineSeconds: 2 })`);
  const seen: unknown[] = [];
  const send = async (callee: string, _: object, options: object): Promise<string> => {
    seen.push(callee, options);
    return Promise.resolve('id-7');
  };
  assert.equal(await f.invoke(null, { outgoing: { send } }), 'id-7');
  assert.deepEqual(seen, ['b', { key: 'k', startDeadlineMs: 2000 }]);
});

test("a callee's error arrives as an error with its code, reason and function", async (t) => {
  const f = js(
    t,
    `try { await ctx.call('b') } catch (e) {
       return [e instanceof Error, e.name, e.code, e.message, e.reason, e.function]
     }`,
  );
  const call = async (): Promise<never> =>
    Promise.reject(new CallError('FunctionFailed', 'no wheels', { reason: 'Trap', function: 'c' }));
  assert.deepEqual(await f.invoke(null, { outgoing: { call } }), [
    ...[true, 'CallError', 'FunctionFailed', 'no wheels', 'Trap', 'c'],
  ]);
});

test('an error of a callee that escapes is FunctionFailed and names the first cause', async (t) => {
  const f = js(t, `return ctx.call('b')`);
  const escapes = async (error: Error): Promise<unknown[]> => {
    const call = (): Promise<never> => Promise.reject(error);
    const { code, reason, function: fn, message } = await f.failure(null, { outgoing: { call } });
    return [code, reason, fn, message];
  };
  assert.deepEqual(await escapes(new CallError('Timeout', 'too slow', { function: 'b' })), [
    ...['FunctionFailed', 'Timeout', 'b', "its call to 'b' failed with Timeout: too slow"],
  ]);
  assert.deepEqual(
    await escapes(new CallError('FunctionFailed', 'm', { reason: 'Timeout', function: 'z' })),
    [...['FunctionFailed', 'Timeout', 'z', "its call to 'b' failed with FunctionFailed: m"]],
  );
  assert.deepEqual(await escapes(new CallError('EdgeNotDeclared', 'declare it')), [
    ...['FunctionFailed', 'EdgeNotDeclared', 'b', "its call to 'b' failed with EdgeNotDeclared: declare it"],
  ]);
  assert.equal((await escapes(new Error('plain')))[0], 'FunctionFailed');
});

test('what a function throws is FunctionFailed with its words, and its trace is logged', async (t) => {
  const f = js(
    t,
    `throw input === 0 ? new Error('no wheels') : input === 1 ? new TypeError('odd') : input === 2 ? 'a string' : input === 3 ? { a: 1 } : undefined`,
  );
  const words: readonly string[] = [
    'no wheels',
    'TypeError: odd',
    'a string',
    'it threw { a: 1 }',
    'it threw undefined',
  ];
  for (const [input, message] of words.entries()) {
    const e = await f.failure(input);
    assert.deepEqual(
      [e.code, e.reason, e.function, e.message],
      ['FunctionFailed', undefined, 'count', message],
    );
  }
  const { text, level } = await f.logged('no wheels');
  assert.match(text, /file:\/\/\/function\/count\.mjs:1:\d+/);
  assert.equal(level, 'error');
});

test('what cannot be said in JSON names the path', async (t) => {
  const f = js(
    t,
    'return { a: [1, input === 0 ? 10n : input === 1 ? NaN : input === 2 ? () => 1 : new Map()] }',
  );
  for (const input of [0, 1, 2, 3]) {
    const e = await f.failure(input);
    assert.deepEqual([e.code, e.reason, e.function], ['FunctionFailed', 'NotJson', 'count']);
    assert.match(e.message, /'a\[1\]'/);
  }
});

test('too large: input of a nested call, and result', async (t) => {
  const f = js(
    t,
    `const big = 'x'.repeat(${String(PAYLOAD_LIMIT_BYTES)} + 1);
     if (input === 'result') return big;
     try { await ctx.call('b', big) } catch (e) { return e.code }`,
  );
  assert.equal(await f.invoke('nested'), 'PayloadTooLarge');
  const e = await f.failure('result');
  assert.deepEqual([e.code, e.function], ['PayloadTooLarge', 'count']);
});

test('a payload that does not parse is told before the handler runs', async (t) => {
  const f = js(t, 'console.log("ran")');
  const bad = { contentType: 'application/json', bytes: new TextEncoder().encode('{') };
  await assert.rejects(f.payload(bad), { code: 'FunctionFailed', reason: 'BadPayload' });
});

test('out of time: settled at once, the signal aborts with the reason, the thread lives', async (t) => {
  const f = js(
    t,
    `if (input === 'state') return globalThis.seen;
     await new Promise((r) => ctx.signal.addEventListener('abort', r));
     globalThis.seen = [ctx.signal.reason.code, ctx.signal.aborted]; console.log('aborted');
     return 'late'`,
  );
  await f.runtime.ready;
  const e = await f.failure(null, { timeoutMs: 50 });
  assert.deepEqual([e.code, e.function], ['Timeout', 'count']);
  assert.match(e.message, /50 ms/);
  await f.logged('aborted');
  assert.deepEqual(await f.invoke('state'), ['Timeout', true]);
  assert.equal(f.runtime.stats.restarts, 0);
});

test('cancelled: settled at once, the signal and the nested call abort', async (t) => {
  const f = js(
    t,
    `if (input === 'state') return globalThis.seen;
     globalThis.seen = await ctx.call('slow').catch((e) => [e.code, ctx.signal.aborted]); console.log('seen')`,
  );
  const called = gate<AbortSignal>();
  const controller = new AbortController();
  const failing = f.failure(null, {
    signal: controller.signal,
    outgoing: {
      call: (_callee, _input, { signal }) => {
        called.open(signal);
        return new Promise(() => undefined);
      },
    },
  });
  const inner = await called.opened;
  controller.abort();
  assert.equal((await failing).code, 'Cancelled');
  assert.equal(inner.aborted, true);
  await f.logged('seen');
  assert.deepEqual(await f.invoke('state'), ['Cancelled', true]);
});

test('a signal that is first asked for after the end says how it ended', async (t) => {
  const f = js(
    t,
    `if (input === 'state') return globalThis.seen;
     await new Promise((r) => setTimeout(r, 150)); globalThis.seen = [ctx.signal.aborted, ctx.signal.reason.code]; console.log('seen')`,
  );
  await f.runtime.ready;
  assert.equal((await f.failure(null, { timeoutMs: 50 })).code, 'Timeout');
  await f.logged('seen');
  assert.deepEqual(await f.invoke('state'), [true, 'Timeout']);
});

test('a signal given to ctx.call cancels that call alone', async (t) => {
  const f = js(
    t,
    `const c = new AbortController();
     const slow = ctx.call('slow', 1, { signal: c.signal }).catch((e) => [e.code, e.cause]);
     const early = await ctx.call('x', 1, { signal: AbortSignal.abort() }).catch((e) => e.code);
     await ctx.call('wait');
     c.abort('enough');
     return [await slow, early, ctx.signal.aborted]`,
  );
  const slow = gate<AbortSignal>();
  const result = await f.invoke(null, {
    outgoing: {
      call: async (callee, _input, { signal }) => {
        if (callee !== 'slow') await slow.opened;
        else slow.open(signal);
        return callee === 'slow' ? new Promise(() => undefined) : encodeValue(null);
      },
    },
  });
  assert.deepEqual(result, [['Cancelled', 'enough'], 'Cancelled', false]);
  assert.equal((await slow.opened).aborted, true);
});

test('already cancelled or out of time: the function is not run', async (t) => {
  const f = js(t, 'console.log("ran")');
  assert.equal((await f.failure(null, { signal: AbortSignal.abort() })).code, 'Cancelled');
  assert.equal((await f.failure(null, { timeoutMs: 0 })).code, 'Timeout');
  await f.runtime.ready;
  assert.deepEqual(f.logs, []);
});

test('a call that its function did not await is cancelled with it; a send is not', async (t) => {
  const f = js(
    t,
    `void ctx.call('b').catch((e) => console.log(e.code, e.reason)); void ctx.send('c').then((id) => console.log('sent', id))`,
  );
  const sending = gate<string>();
  const called = gate<AbortSignal>();
  await f.invoke(null, {
    outgoing: {
      call: (_c, _i, { signal }) => {
        called.open(signal);
        return new Promise(() => undefined);
      },
      send: () => sending.opened,
    },
  });
  assert.equal((await called.opened).aborted, true);
  sending.open('id-1');
  await f.logged('Cancelled CallEnded');
  await f.logged('sent id-1');
});

test('a ctx used after its call has ended says so', async (t) => {
  const f = js(
    t,
    `if (!globalThis.old) { globalThis.old = ctx; return }
    return Promise.all(['call', 'send'].map((m) => old[m]('b').catch((e) => [e.code, e.reason, e.message])))`,
  );
  await f.invoke(null, { callId: 'first' });
  const results = (await f.invoke()) as readonly [string, string, string][];
  for (const [code, reason, message] of results) {
    assert.deepEqual([code, reason], ['Cancelled', 'CallEnded']);
    assert.match(message, /first.*ended/);
  }
});

test('options that make no sense are named', async (t) => {
  const f = js(
    t,
    `const tries = [() => ctx.call(), () => ctx.call('b', 1, { timeoutSeconds: -1 }), () => ctx.call('b', 1, { timeoutSeconds: '3' }),
      () => ctx.send('b', 1, { startDeadlineSeconds: NaN }), () => ctx.send('b', 1, { key: 7 }), () => ctx.call('b', 1, { signal: {} })];
    return Promise.all(tries.map((f) => f().then(() => 'accepted', (e) => e.message)))`,
  );
  const messages = (await f.invoke()) as string[];
  const expected = [
    /name of a function/,
    /timeoutSeconds.*-1/,
    /timeoutSeconds.*'3'/,
    /startDeadlineSeconds.*NaN/,
    /key.*7/,
    /signal/,
  ];
  expected.forEach((pattern, i) => {
    assert.match(messages[i] ?? '', pattern);
  });
});

test('console and the streams become log lines with levels', async (t) => {
  const f = js(
    t,
    `console.log('one %d', 1, { a: 1 }); console.warn('two'); console.error('three'); console.debug('four');
     process.stdout.write('five\\nsix\\n'); process.stderr.write('seven\\n'); console.table([{ a: 1 }]);
     console.assert(false, 'eight'); const c = await import('node:console'); c.log('nine')`,
  );
  await f.invoke();
  const level = async (text: string): Promise<string> => (await f.logged(text)).level;
  assert.deepEqual(
    [await level('one 1 { a: 1 }'), await level('two'), await level('three'), await level('four')],
    ['info', 'warn', 'error', 'debug'],
  );
  assert.deepEqual([await level('five'), await level('six'), await level('seven')], ['info', 'info', 'warn']);
  assert.deepEqual(
    [await level('│ a │'), await level('eight'), await level('nine')],
    ['info', 'error', 'info'],
  );
});

test('modules may import what is built into Node, in every way', async (t) => {
  const f = js(
    t,
    `import { createHash } from 'node:crypto'; import path from 'path'; import { createRequire } from 'node:module';
     const require = createRequire(import.meta.url);
     export default async () => [createHash('md5').update('').digest('hex').length, path.join('a', 'b'),
       require('node:os').EOL, typeof (await import('node:fs')).readFileSync, import.meta.url]`,
  );
  assert.deepEqual(await f.invoke(), [32, 'a/b', '\n', 'function', 'file:///function/count.mjs']);
});

test('top-level await is waited for', async (t) => {
  const f = js(t, `const n = await new Promise((r) => setTimeout(r, 20, 7)); export default () => n`);
  assert.equal(await f.invoke(), 7);
});

test('close rejects what is in flight, and what comes later', async (t) => {
  const f = js(t, 'await new Promise(() => {})');
  await f.runtime.ready;
  const failing = f.failure();
  await f.runtime.close();
  assert.deepEqual([(await failing).code, (await failing).reason], ['CalleeLost', 'Closing']);
  assert.equal((await f.failure()).code, 'CalleeLost');
});

test('close before the thread is ready', async (t) => {
  const f = js(t, 'return 1');
  const failing = f.failure();
  await f.runtime.close();
  assert.equal((await failing).code, 'CalleeLost');
  await assert.rejects(f.runtime.ready, { code: 'CalleeLost' });
});
