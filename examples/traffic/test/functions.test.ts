/** The functions by themselves: right answers, the same answers, and refusals that say what to do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXPECTED, expectedOf, loadHandlers, parsed, readings, readingWith } from './in-memory.ts';
import { runReading, textOf, type Handler, type Json } from './in-memory.ts';
import { refusalOf, withoutClock } from '../../test/inMemory.ts';

const handlers = await loadHandlers();

const message = (reading: Json): Promise<string> => refusalOf(handlers, 'ingest', reading);

const handler = (name: string): Handler => {
  const found = handlers.get(name);
  assert.ok(found, `${name} is there`);
  return found;
};

test('the kept outputs are what the functions answer', async () => {
  for (const number of EXPECTED) {
    const run = await runReading(handlers, readings()[number - 1] ?? null);
    assert.equal(
      expectedOf(run),
      textOf(`expected/reading-${String(number)}.jsonl`),
      `reading ${String(number)}`,
    );
  }
});

test('the same reading gives the same bytes, in another call and without a clock or chance', async () => {
  for (const reading of readings().slice(0, 40)) {
    const once = await runReading(handlers, reading, 'call-1');
    const again = await withoutClock(() => runReading(handlers, reading, 'call-2'));
    assert.equal(expectedOf(again), expectedOf(once));
  }
});

test('every recorded reading runs eleven executions', async () => {
  for (const reading of readings()) {
    const quick = { ...(reading as object), burn: 0 };
    const { executions } = await runReading(handlers, parsed(JSON.stringify(quick)));
    assert.equal(executions.length, 11);
  }
});

test('what the sender adds or reorders changes nothing', async () => {
  const plain = readingWith();
  const reversed = Object.fromEntries(Object.entries(plain as object).toReversed());
  const run = await runReading(handlers, parsed(JSON.stringify({ more: [1], ...reversed })));
  assert.equal(expectedOf(run), expectedOf(await runReading(handlers, plain)));
});

test('every call that is sent has a key of its own, which names the call and not the reading', async () => {
  const first = await runReading(handlers, readingWith(), 'call-1');
  const resent = await runReading(handlers, readingWith(), 'call-1');
  const other = await runReading(handlers, readingWith(), 'call-2');
  assert.equal(new Set(first.keys).size, 5);
  assert.ok(first.keys.every((key) => key !== undefined));
  assert.deepEqual(resent.keys, first.keys);
  assert.equal(new Set([...first.keys, ...other.keys]).size, 10);
});

test('a broken sensor is named, stored and believed by no sign', async () => {
  const run = await runReading(handlers, readingWith({ image: '0'.repeat(16), soundDb: 3 }));
  const { sensor } = run.output as { readonly sensor: { readonly faults: Json } };
  assert.deepEqual(sensor.faults, ['Lens', 'Microphone']);
  const signs = run.executions.filter((execution) => execution.function === 'adjust-signs');
  assert.deepEqual(
    signs.map(({ output }) => (output as { readonly signs: Json }).signs),
    [[], []],
  );
});

test('the sieve counts primes', async () => {
  const known = [
    [2, 1, 2],
    [3, 2, 3],
    [4, 2, 3],
    [100, 25, 97],
    [10000, 1229, 9973],
    [1000000, 78498, 999983],
  ];
  for (const [sieve, primes, largestPrime] of known) {
    const run = await runReading(handlers, readingWith({ sieve, burn: 0 }));
    const { sensor } = run.output as {
      readonly sensor: { readonly primes: Json; readonly largestPrime: Json };
    };
    assert.deepEqual([sensor.primes, sensor.largestPrime], [primes, largestPrime]);
    const accident = run.executions.find((execution) => execution.function === 'check-sound-accident');
    assert.equal((accident?.output as { readonly primes: Json }).primes, primes);
  }
});

const outputOf = async (name: string, change: Readonly<Record<string, unknown>>): Promise<object> => {
  const run = await runReading(handlers, readingWith(change));
  const found = run.executions.find((execution) => execution.function === name);
  return found?.output as object;
};

/** An A10 in the forenoon with nothing to remark: what a change makes of it is the rule at work. */
const CALM = { sensor: 'a', road: 'A10', at: '2024-01-16T10:00:00Z', vehiclesPerMinute: 20, speedKmh: 80 };
const RULES: Readonly<Record<string, readonly [string, Readonly<Record<string, unknown>>, object]>> = {
  'one degree on the surface is ice': [
    'check-temperature',
    { temperatureC: -13 },
    { surfaceC: 1, advice: 'Ice' },
  ],
  'two degrees are none': ['check-temperature', { temperatureC: -12 }, { surfaceC: 2, advice: 'Clear' }],
  'the surface is cold by night': [
    'check-temperature',
    { temperatureC: 4, at: '2024-01-16T20:00:00Z' },
    { surfaceC: 1 },
  ],
  'the surface warms from six': [
    'check-temperature',
    { temperatureC: 4, at: '2024-01-16T06:00:00Z' },
    { surfaceC: 9 },
  ],
  '48 degrees harm the road': ['check-temperature', { temperatureC: 34 }, { surfaceC: 48, advice: 'Heat' }],
  '47 do not': ['check-temperature', { temperatureC: 33 }, { surfaceC: 47, advice: 'Clear' }],
  'above the limit of the day is too loud': ['check-sound', { soundDb: 79 }, { action: 'Reroute' }],
  'the limit itself is not': ['check-sound', { soundDb: 78 }, { action: 'None' }],
  'nights have a lower limit': [
    'check-sound-level',
    { soundDb: 69, at: '2024-01-16T22:00:00Z' },
    { verdict: 'TooLoud', limitDb: 68 },
  ],
  'a bang in flowing traffic is none of ours': [
    'check-sound',
    { soundDb: 110, speedKmh: 21 },
    { action: 'Reroute' },
  ],
  'a broken sensor reroutes nobody': ['check-sound', { soundDb: 110, temperatureC: 80 }, { action: 'None' }],
  'no more vehicles stand than pass': [
    'check-sound-accident',
    { soundDb: 95, speedKmh: 5, vehiclesPerMinute: 0 },
    { bang: true, standingVehicles: 0, suspected: false },
  ],
  '40 micrograms are good air': ['check-air', { no2UgM3: 40 }, { air: 'Good', advice: 'Clear' }],
  '120 are moderate': ['check-air', { no2UgM3: 120 }, { air: 'Moderate', advice: 'Clear' }],
  '121 are poor': ['check-air', { no2UgM3: 121 }, { air: 'Poor', advice: 'CleanAir' }],
  '231 are very poor': ['check-air', { no2UgM3: 231 }, { air: 'VeryPoor', advice: 'CleanAir' }],
  'standing traffic is dense, not infinite': [
    'detect-jam',
    { speedKmh: 0, vehiclesPerMinute: 3 },
    { perKm: 60 },
  ],
  'an empty road is no jam': ['detect-jam', { speedKmh: 0, vehiclesPerMinute: 0 }, { perKm: 0, jam: false }],
  '19 decibels are a deaf microphone': [
    'check-working',
    { soundDb: 19 },
    { working: false, faults: ['Microphone'] },
  ],
  '20 are a quiet road': ['check-working', { soundDb: 20 }, { working: true, faults: [] }],
  'a speed needs a vehicle': ['check-working', { vehiclesPerMinute: 0, speedKmh: 1 }, { faults: ['Radar'] }],
};

test('the rules of the road', async (context) => {
  for (const [rule, [name, change, expected]] of Object.entries(RULES)) {
    await context.test(rule, async () => {
      assert.partialDeepStrictEqual(await outputOf(name, { ...CALM, ...change }), expected);
    });
  }
});

const REFUSED: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
  [{ sieve: undefined }, 'sieve: missing; give a whole number from 2 to 1000000'],
  [{ sieve: Number.NaN }, 'sieve: given null; give a whole number from 2 to 1000000'],
  [{ sieve: 'many' }, 'sieve: given "many"; give a whole number from 2 to 1000000'],
  [{ sieve: '5000' }, 'sieve: given "5000"; give a whole number from 2 to 1000000'],
  [{ sieve: 1 }, 'sieve: given 1; give a whole number from 2 to 1000000'],
  [{ sieve: 1000001 }, 'sieve: given 1000001; give a whole number from 2 to 1000000'],
  [{ burn: undefined }, 'burn: missing; give a whole number from 0 to 100000'],
  [{ burn: 1.5 }, 'burn: given 1.5; give a whole number from 0 to 100000'],
  [{ burn: 1e9 }, 'burn: given 1000000000; give a whole number from 0 to 100000'],
  [{ road: 'Hauptstr.' }, 'road: given "Hauptstr."; give a road number like B96'],
  [{ road: 'B96\n' }, 'road: given "B96\\n"; give a road number like B96'],
  [
    { sensor: 'x'.repeat(99) },
    'sensor: given JSON of 101 characters; give 1 to 40 of a-z, 0-9 and -, not starting with -',
  ],
  [{ speedKmh: -1 }, 'speedKmh: given -1; give a whole number from 0 to 250'],
  [{ image: {} }, 'image: given {}; give 16 hexadecimal digits, the hash of the picture'],
  [{ at: '2024-05-14' }, 'at: given "2024-05-14"; give a UTC time to the second, like 2024-05-14T07:32:10Z'],
  [
    { at: '2024-02-30T07:32:10Z' },
    'at: given "2024-02-30T07:32:10Z"; give a UTC time to the second, like 2024-05-14T07:32:10Z',
  ],
  [
    { at: '2024-99-99T99:99:99Z' },
    'at: given "2024-99-99T99:99:99Z"; give a UTC time to the second, like 2024-05-14T07:32:10Z',
  ],
];

test('a bad reading is refused by the field, what was given and what to give', async () => {
  for (const [change, expected] of REFUSED) assert.equal(await message(readingWith(change)), expected);
  assert.equal(await message(null), 'input: given null; give a JSON object');
  assert.equal(await message([1]), 'input: given [1]; give a JSON object');
  assert.equal(await message('a'), 'input: given "a"; give a JSON object');
});

test('every field of a reading is asked for', async () => {
  for (const field of Object.keys(readingWith() as object)) {
    assert.match(await message(readingWith({ [field]: undefined })), new RegExp(`^${field}: missing; give `));
  }
});

test('a bad reading is refused before anything is called', async () => {
  const calls: string[] = [];
  const record = (name: string): Promise<Json> => {
    calls.push(name);
    return Promise.resolve(null);
  };
  const ctx = {
    callId: 'call-1',
    env: {},
    signal: new AbortController().signal,
    log: () => undefined,
    call: record,
    send: (name: string) => record(name).then(() => undefined),
  };
  await assert.rejects(handler('ingest')(readingWith({ burn: 'x' }), ctx), /^Error: burn: given "x"/);
  assert.deepEqual(calls, []);
});

test('a function that is called by itself checks what it reads', async () => {
  const ctx = {} as Parameters<Handler>[1];
  for (const name of handlers.keys()) {
    await assert.rejects(handler(name)(7, ctx), { message: 'input: given 7; give a JSON object' }, name);
  }
  const advised = { road: 'B96', cause: 'check-air', advice: 'toString', trusted: true, burn: 0 };
  await assert.rejects(
    handler('adjust-signs')(advised, ctx),
    /^Error: advice: given "toString"; give one of Clear, /,
  );
});
