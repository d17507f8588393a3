import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CallError } from './errors.ts';
import {
  BYTES_TYPE,
  JSON_TYPE,
  PAYLOAD_LIMIT_BYTES,
  TEXT_TYPE,
  decodeValue,
  encodeValue,
  kindOf,
  within,
} from './values.ts';

const roundTrip = (v: unknown): unknown => decodeValue(encodeValue(v));
const throughJson = (v: unknown): unknown => JSON.parse(JSON.stringify(v)) as unknown;
const refusal = (v: unknown): CallError => {
  try {
    encodeValue(v, 'output');
  } catch (e) {
    if (e instanceof CallError) return e;
    throw e;
  }
  return assert.fail('was not refused');
};

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe('values', () => {
  it('come back as from a JSON round trip', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (v) => {
        assert.deepEqual(roundTrip(v), throughJson(v));
      }),
      { numRuns: 500 },
    );
  });

  it('come back as from a JSON round trip, whatever kind of object', () => {
    const anything = fc.anything({
      withDate: true,
      withNullPrototype: true,
      withSparseArray: true,
      withBoxedValues: true,
    });
    fc.assert(
      fc.property(anything, (v) => {
        let got: unknown;
        try {
          got = roundTrip(v);
        } catch (e) {
          assert.ok(e instanceof CallError && e.code === 'FunctionFailed', String(e));
          return;
        }
        assert.deepEqual(got, v === undefined ? null : throughJson(v));
      }),
      { numRuns: 1000 },
    );
  });

  it('keep every string, lone surrogates included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (s) => {
        assert.equal(roundTrip(s), s);
      }),
    );
    for (const s of ['', '\ud800', 'a\udc00b', '\ufeffwith a mark', '\0', '𝄞', '"', '\u2028'])
      assert.equal(roundTrip(s), s);
  });

  it('keep bytes as bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (b) => {
        assert.deepEqual(roundTrip(b), b);
      }),
    );
    assert.equal(encodeValue(Buffer.from('x')).contentType, BYTES_TYPE);
  });

  const same: readonly (readonly [string, unknown, unknown])[] = [
    ['undefined is null', undefined, null],
    ['null', null, null],
    ['minus zero is zero', -0, 0],
    ['an undefined property is dropped', { a: undefined, b: 1 }, { b: 1 }],
    ['an undefined item is null', [undefined], [null]],
    ['a hole is null', [, 1], [null, 1]],
    ['a date is its text', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['the same object twice is no cycle', ((x) => [x, x])({ a: 1 }), [{ a: 1 }, { a: 1 }]],
    ['toJSON that gives undefined is null', { toJSON: () => undefined }, null],
    ['an object without prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  ];
  for (const [name, given, expected] of same)
    it(name, () => {
      assert.deepEqual(roundTrip(given), expected);
    });

  const cycle: Record<string, unknown> = { name: 'x' };
  cycle['child'] = { parent: cycle };
  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ['a BigInt', 1n, /the output .* it is a BigInt/],
    ['a BigInt deep down', { a: [{ b: 1n }] }, /'a\[0\]\.b' is a BigInt/],
    ['NaN in a list', [1, NaN], /'\[1\]' is NaN/],
    ['infinity', -Infinity, /it is -Infinity/],
    ['a function', { f: () => 1 }, /'f' is a function/],
    ['a symbol', [Symbol('x')], /'\[0\]' is a symbol/],
    ['a cycle', cycle, /'child\.parent' is a cycle/],
    ['a list in itself', ((l: unknown[]) => (l.push(l), l))([]), /'\[0\]' is a cycle/],
    ['a Map', { m: new Map() }, /'m' is a Map/],
    ['a Set', new Set(), /it is a Set/],
    ['bytes within an object', { b: new Uint8Array(1) }, /'b' is a Uint8Array .*by itself/],
    ['other views', new Float64Array(1), /it is a Float64Array/],
    ['an ArrayBuffer', new ArrayBuffer(1), /it is an ArrayBuffer/],
    ['a promise that nobody awaited', { a: Promise.resolve(1) }, /'a' is a Promise \(await it\)/],
    ['an error', { e: new TypeError('x') }, /'e' is an Error/],
    ['what is nested too deep', nested(201), /nested deeper than 200/],
    ['a toJSON that gives a BigInt', { toJSON: () => 1n }, /cannot be said in JSON.*BigInt/],
  ];
  for (const [name, given, message] of refused)
    it(`refuse ${name}, naming the path`, () => {
      const error = refusal(given);
      assert.equal(error.code, 'FunctionFailed');
      assert.equal(error.reason, 'NotJson');
      assert.match(error.message, message);
    });

  it('may nest 200 deep', () => {
    assert.deepEqual(roundTrip(nested(200)), nested(200));
  });

  it('refuse what throws while it is read, with the error of the thrower', () => {
    const value = {
      get a(): number {
        throw new Error('not now');
      },
    };
    assert.throws(() => encodeValue(value), /not now/);
  });
});

describe('the limit on payloads', () => {
  for (const [kind, make] of [
    ['bytes', (n: number) => new Uint8Array(n)],
    ['text', (n: number) => 'x'.repeat(n)],
    ['JSON', (n: number) => ['x'.repeat(n - 4)]],
  ] as const)
    it(`holds for ${kind} to the byte`, () => {
      assert.equal(encodeValue(make(PAYLOAD_LIMIT_BYTES)).bytes.byteLength, PAYLOAD_LIMIT_BYTES);
      const error = refusal(make(PAYLOAD_LIMIT_BYTES + 1));
      assert.equal(error.code, 'PayloadTooLarge');
      assert.match(error.message, /the output has 786433 bytes, at most 786432 are allowed/);
    });

  it('counts bytes, not characters', () => {
    assert.equal(refusal('€'.repeat(PAYLOAD_LIMIT_BYTES / 2)).code, 'PayloadTooLarge');
  });

  it('holds for what is made elsewhere', () => {
    assert.throws(() => within({ contentType: BYTES_TYPE, bytes: new Uint8Array(PAYLOAD_LIMIT_BYTES + 1) }), {
      code: 'PayloadTooLarge',
    });
  });
});

describe('payloads that were made elsewhere', () => {
  const kinds: readonly (readonly [string, string])[] = [
    ['application/json', 'Json'],
    ['application/json; charset=utf-8', 'Json'],
    ['Application/JSON', 'Json'],
    ['application/problem+json', 'Json'],
    ['text/html;charset=x', 'Text'],
    ['TEXT/plain', 'Text'],
    ['image/png', 'Bytes'],
    ['', 'Bytes'],
    [';', 'Bytes'],
  ];
  for (const [type, kind] of kinds)
    it(`'${type}' is ${kind}`, () => {
      assert.equal(kindOf(type), kind);
    });

  it('without a byte, as JSON, are null', () => {
    assert.equal(decodeValue({ contentType: JSON_TYPE, bytes: new Uint8Array(0) }), null);
  });

  for (const [name, bytes] of [
    ['a broken object', Buffer.from('{"a":')],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ] as const)
    it(`refuse ${name} as JSON`, () => {
      assert.throws(() => decodeValue({ contentType: JSON_TYPE, bytes }), {
        code: 'FunctionFailed',
        reason: 'BadPayload',
      });
    });

  it('that are no UTF-8 are text with replacement characters', () => {
    assert.equal(decodeValue({ contentType: TEXT_TYPE, bytes: Uint8Array.of(0xff) }), '\ufffd');
  });
});
