import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CallError, ERROR_CODES, MESSAGE_LIMIT, decodeError, encodeError, isErrorCode } from './errors.ts';

const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s);

describe('an error on the wire', () => {
  it('comes back as it was', () => {
    const error = fc.record(
      {
        code: fc.constantFrom(...ERROR_CODES),
        message: fc.string({ unit: 'binary' }),
        reason: fc.string(),
        function: fc.string(),
      },
      { requiredKeys: ['code', 'message'] },
    );
    fc.assert(
      fc.property(error, (e) => {
        assert.deepEqual(decodeError(encodeError(e)), { ...e });
        assert.deepEqual(CallError.fromWire(e).toWire(), { ...e });
      }),
    );
  });

  it('keeps the end of a message that is too long', () => {
    const { message } = decodeError(
      encodeError({ code: 'Timeout', message: `${'a'.repeat(MESSAGE_LIMIT)}the cause` }),
    );
    assert.equal(message.length, MESSAGE_LIMIT);
    assert.match(message, /^…a+the cause$/);
    // The same without a wire, and not again with each hop.
    const direct = new CallError('Timeout', `${'a'.repeat(MESSAGE_LIMIT)}the cause`);
    assert.equal(direct.message, message);
    assert.equal(CallError.fromWire(direct.toWire()).message, message);
  });

  it('with a code of a later version is a failure that tells it', () => {
    assert.deepEqual(decodeError(utf8('{"code":"Sunburn","message":"too bright"}')), {
      code: 'FunctionFailed',
      message: 'Sunburn: too bright',
    });
  });

  it('is a failure for whatever bytes', () => {
    for (const text of ['', '{', 'null', '[]', '5', '{"code":5,"message":"x"}', '{"code":"Timeout"}'])
      assert.equal(decodeError(utf8(text)).code, 'FunctionFailed', text);
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        assert.ok(isErrorCode(decodeError(bytes).code));
      }),
    );
  });
});

describe('what a function throws', () => {
  class Odd extends Error {
    override message = 5 as unknown as string;
  }
  const thrown: readonly (readonly [string, unknown, string])[] = [
    ['an Error', new TypeError('no'), 'no'],
    ['a string', 'plain', 'plain'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an object without a prototype', Object.create(null), 'something was thrown that has no text'],
    ['an error whose message is a number', new Odd(), '5'],
  ];
  for (const [name, what, message] of thrown)
    it(`is a failure with a message: ${name}`, () => {
      const { cause: _, ...wire } = { ...CallError.from(what, 'f').toWire(), cause: what };
      assert.deepEqual(wire, { code: 'FunctionFailed', message, function: 'f' });
    });

  it('stays what it is when it has a code', () => {
    const error = new CallError('Overloaded', 'full', { function: 'deep' });
    assert.equal(CallError.from(error, 'f'), error);
  });

  it('is no code when it is a name of Object', () => {
    for (const s of ['toString', '__proto__', 'constructor', '']) assert.equal(isErrorCode(s), false);
  });
});
