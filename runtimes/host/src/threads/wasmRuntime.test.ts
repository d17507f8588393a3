/** WASM commands in threads: streams, exit codes, traps, limits, queue. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PAYLOAD_LIMIT_BYTES, decodeValue, encodeValue } from '@sinter/contract';
import { MB, failureOf, wasm } from './testKit.ts';
import type { Subject } from './testKit.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The runtimes of a test share one command: most need nothing of their own. */
const shared = (t: Parameters<typeof wasm>[0], more: Parameters<typeof wasm>[1] = {}): Subject =>
  wasm(t, more);

test('the input comes on stdin, stdout is the output, with the content type of the input', async (t) => {
  const f = shared(t);
  for (const [value, expected] of [
    ['echo żółć 🚦', 'żółć 🚦'],
    ['echo', ''],
    [bytes('echo \0\u0001\u00ff'), bytes('\0\u0001\u00ff')],
  ])
    assert.deepEqual(await f.invoke(value), expected);
  const json = await f.payload({ contentType: 'application/json', bytes: bytes('echo {"a":[1]}') });
  assert.deepEqual(decodeValue(json), { a: [1] });
  const custom = await f.payload({ contentType: 'image/png', bytes: bytes('echo x') });
  assert.equal(custom.contentType, 'image/png');
});

test('an empty input', async (t) => {
  assert.equal(await shared(t).invoke(''), 'unknown: ');
});

test('up to the payload limit both ways, and not beyond', async (t) => {
  const f = shared(t);
  const input = new Uint8Array(PAYLOAD_LIMIT_BYTES).fill(65);
  input.set(bytes('echo '));
  const { bytes: output } = await f.payload(encodeValue(input));
  assert.equal(output.length, PAYLOAD_LIMIT_BYTES - 5);
  assert.equal(output.buffer.byteLength, output.length);
  assert.equal(input[0], 'e'.charCodeAt(0), 'the input is still the caller’s');
  const e = await f.failure('flood');
  assert.deepEqual([e.code, e.function], ['PayloadTooLarge', 'count']);
  assert.equal(f.runtime.stats.restarts, 0);
});

test('arguments, environment, clocks, sleep, random numbers; no files', async (t) => {
  const f = shared(t, { env: { LEVEL: 'ü=1', EMPTY: '' } });
  assert.equal(await f.invoke('args'), '1 count');
  assert.equal(await f.invoke('env LEVEL'), 'ü=1');
  assert.equal(await f.invoke('env EMPTY'), '');
  assert.equal(await f.invoke('env PATH'), '(none)');
  assert.ok(Math.abs(Number(await f.invoke('time')) - Date.now() / 1000) < 5);
  assert.ok(Number(await f.invoke('sleep 30')) >= 29);
  const sums = await Promise.all([1, 2, 3, 4].map(() => f.invoke('random')));
  assert.ok(new Set(sums).size > 1);
  assert.notEqual(await f.invoke('file'), 'readable');
});

test('an instance serves one call', async (t) => {
  const f = shared(t, { concurrency: 1 });
  assert.deepEqual([await f.invoke('before'), await f.invoke('before')], ['0', '0']);
});

test('an exit code that is not 0 is FunctionFailed with the end of stderr', async (t) => {
  const f = shared(t);
  assert.equal(await f.invoke('exit 0'), '');
  const e = await f.failure('exit 3');
  assert.deepEqual([e.code, e.reason, e.function], ['FunctionFailed', 'ExitCode', 'count']);
  assert.match(e.message, /exit code 3.*giving up/);
  const long = await f.failure('floodError');
  assert.ok(long.message.endsWith('the end') && long.message.length < 3_000, long.message.slice(-100));
});

const TRAPS: Readonly<Record<string, RegExp>> = {
  trap: /trapped: unreachable.*about to trap/,
  'divide 0': /trapped: divide by zero/,
  outside: /trapped: memory access out of bounds/,
  deep: /trapped: (Maximum call stack|memory access out of bounds)/,
};

for (const [input, says] of Object.entries(TRAPS))
  test(`a trap is FunctionFailed and named: ${input}`, async (t) => {
    const f = shared(t);
    const e = await f.failure(input);
    assert.deepEqual([e.code, e.reason], ['FunctionFailed', 'Trap']);
    assert.match(e.message, says);
    assert.equal(await f.invoke('echo on'), 'on');
    assert.equal(f.runtime.stats.restarts, 0);
  });

test('a pointer out of the memory is an error code to the program', async (t) => {
  assert.equal(await shared(t).invoke('badPointer'), '21');
});

test('stderr of a call that succeeds is logged by the call', async (t) => {
  const f = shared(t);
  assert.equal(await f.invoke('note a\nb'), 'noted');
  assert.deepEqual(await f.logged('b'), { level: 'info', text: 'b', by: 'call' });
});

test('memory: what is allowed is there, and no more', async (t) => {
  const f = shared(t, { memoryBytes: 16 * MB });
  const said = await f.invoke('take');
  const kib = Number(said);
  assert.ok(kib > 12 * 1024 && kib <= 16 * 1024, String(said));
  const e = await f.failure('need');
  assert.equal(e.reason, 'Trap');
  assert.match(e.message, /memory was at its limit.*resources\.limits\.memory.*out of memory/);
});

test('an endless loop is ended at its deadline, others go on, the next call works', async (t) => {
  const f = shared(t, { concurrency: 2 });
  await f.runtime.ready;
  const looping = f.failure('loop', { timeoutMs: 150 });
  const beside = f.invoke('echo beside');
  const e = await looping;
  assert.deepEqual([e.code, e.function], ['Timeout', 'count']);
  assert.equal(await beside, 'beside');
  assert.equal(await f.invoke('echo after'), 'after');
  assert.equal(f.runtime.stats.restarts, 1);
});

test('a sleeping command is ended, too', async (t) => {
  const f = shared(t);
  await f.runtime.ready;
  assert.equal((await f.failure('sleep 900', { timeoutMs: 50 })).code, 'Timeout');
});

test('cancellation ends what runs and takes out what waits', async (t) => {
  const f = shared(t, { concurrency: 1 });
  await f.runtime.ready;
  const controllers = [new AbortController(), new AbortController()] as const;
  const running = f.failure('loop', { signal: controllers[0].signal });
  const waiting = f.failure('echo never', { signal: controllers[1].signal });
  const patient = f.invoke('echo patient');
  controllers[1].abort();
  assert.equal((await waiting).code, 'Cancelled');
  controllers[0].abort();
  assert.equal((await running).code, 'Cancelled');
  assert.equal(await patient, 'patient');
  assert.equal(f.runtime.stats.inFlight, 0);
});

test('what waits too long says for what', async (t) => {
  const f = shared(t, { concurrency: 1 });
  await f.runtime.ready;
  const running = f.failure('loop', { timeoutMs: 400 });
  const e = await f.failure('echo', { timeoutMs: 100 });
  assert.equal(e.code, 'Timeout');
  assert.match(e.message, /had not begun: all its threads were busy/);
  await running;
});

test('calls beyond the threads wait, and one thread takes them in order', async (t) => {
  for (const concurrency of [1, 64]) {
    const f = shared(t, { concurrency });
    const ended: string[] = [];
    const numbers = Array.from({ length: 40 }, (_, n) => String(n));
    const echo = async (n: string): Promise<void> => {
      assert.equal(await f.invoke(`echo ${n}`), n);
      ended.push(n);
    };
    await Promise.all(numbers.map(echo));
    if (concurrency === 1) assert.deepEqual(ended, numbers);
    assert.equal(ended.length, numbers.length);
  }
});

test('memory of instances that have ended is given back', async (t) => {
  const f = shared(t, { concurrency: 1, memoryBytes: 32 * MB });
  for (let i = 0; i < 25; i++) await f.invoke('take');
  assert.ok(process.memoryUsage().rss < 900 * MB, String(process.memoryUsage().rss / MB));
});

/** Header and sections of a module. */
const moduleOf = (...sections: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat());
const name = (s: string): readonly number[] => [s.length, ...bytes(s)];
const section = (id: number, content: readonly number[]): readonly number[] => [
  id,
  content.length,
  ...content,
];

const typeSection = section(1, [1, 0x60, 0, 0]);
const oneFunction = section(3, [1, 0]);
const body = (code: readonly number[]): readonly number[] =>
  section(10, [1, code.length + 2, 0, ...code, 0x0b]);
const command = section(7, [2, ...name('_start'), 0, 0, ...name('memory'), 2, 0]);
const memory = (...limits: readonly number[]): readonly number[] => section(5, [1, ...limits]);

test('the smallest command runs', async (t) => {
  const f = wasm(t, { module: moduleOf(typeSection, oneFunction, memory(0, 1), command, body([])) });
  assert.equal(await f.invoke('x'), '');
});

test('a declared maximum below the limit stays', async (t) => {
  // memory.grow(1) is refused (-1) within maximum 1; then i32.eqz(-1 + 1) = 1 → no trap.
  const grow = [0x41, 1, 0x40, 0, 0x41, 1, 0x6a, 0x45, 0x04, 0x40, 0x05, 0x00, 0x0b];
  const f = wasm(t, { module: moduleOf(typeSection, oneFunction, memory(1, 1, 1), command, body(grow)) });
  assert.equal(await f.invoke('x'), '');
  const g = wasm(t, { module: moduleOf(typeSection, oneFunction, memory(1, 1, 2), command, body(grow)) });
  assert.equal((await g.failure('x')).reason, 'Trap');
});

const REFUSED: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  nothing: [new Uint8Array(), /its 0 bytes are no WebAssembly module/],
  text: [bytes('export default 1'), /no WebAssembly module/],
  'a component': [Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0), /component.*WASI preview 1/],
  'a module that is cut off': [
    moduleOf(typeSection, oneFunction, memory(0, 1), command, body([])).slice(0, -3),
    /could not be loaded: WebAssembly/,
  ],
  'garbage after the header': [moduleOf([5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), /could not be loaded: /],
  'no _start': [
    moduleOf(typeSection, oneFunction, memory(0, 1), section(7, [1, ...name('memory'), 2, 0]), body([])),
    /'_start'.*as a WASI command/,
  ],
  'no memory': [
    moduleOf(typeSection, oneFunction, section(7, [1, ...name('_start'), 0, 0]), body([])),
    /memory 'memory'/,
  ],
  'a foreign import': [
    moduleOf(typeSection, section(2, [1, ...name('env'), ...name('f'), 0, 0])),
    /imports 'env\.f' \(function\).*wasip1/,
  ],
  'an imported memory': [
    moduleOf(section(2, [1, ...name('env'), ...name('memory'), 2, 0, 1])),
    /imports 'env\.memory'/,
  ],
  'more memory at the start than its limit': [
    moduleOf(typeSection, oneFunction, memory(0, 0x81, 8), command, body([])),
    /needs 64\.1 MiB.*limit is 64 MiB.*resources\.limits\.memory/,
  ],
  'two memories': [moduleOf(section(5, [2, 0, 1, 0, 1])), /2 memories/],
};

for (const [what, [module, says]] of Object.entries(REFUSED))
  test(`a module is refused and says why: ${what}`, async (t) => {
    const f = wasm(t, { module });
    const waiting = f.failure('x');
    const e = await failureOf(f.runtime.ready);
    assert.deepEqual([e.code, e.reason, e.function], ['FunctionFailed', 'LoadFailed', 'count']);
    assert.match(e.message, says);
    assert.equal((await waiting).message, e.message);
    assert.equal((await f.failure('x')).message, e.message);
  });

test('close rejects what runs and what waits', async (t) => {
  const f = shared(t, { concurrency: 1 });
  await f.runtime.ready;
  const calls = [f.failure('loop'), f.failure('echo')];
  await f.runtime.close();
  for (const e of await Promise.all(calls)) assert.deepEqual([e.code, e.reason], ['CalleeLost', 'Closing']);
  assert.equal((await f.failure('echo')).code, 'CalleeLost');
});
