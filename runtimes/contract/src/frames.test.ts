import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CallError, ERROR_CODES } from './errors.ts';
import {
  HEADER,
  isCallId,
  newId,
  readAnswer,
  readCall,
  readCancel,
  writeAnswer,
  writeCall,
  writeCancel,
} from './frames.ts';
import type { Answer, Call } from './frames.ts';
import { CONTRACT_VERSION, OLDEST_SPOKEN_VERSION, isSpoken } from './version.ts';

/** A header block as any client has one. */
class Block {
  readonly #map = new Map<string, string>();
  get(name: string): string {
    return this.#map.get(name) ?? '';
  }
  set(name: string, value: string): this {
    this.#map.set(name, value);
    return this;
  }
}

const BYTES = Uint8Array.of(1, 2, 3);
const word = fc.stringMatching(/^[a-z0-9]{1,12}$/);
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const bytes = fc.uint8Array();
const PLAIN = { noNullPrototype: true };
const calls: fc.Arbitrary<Call> = fc.record(
  {
    head: fc.record(
      {
        callId: id,
        rootId: id,
        revision: word,
        caller: word,
        attempt: fc.integer({ min: 1, max: 9 }),
        timeoutMs: fc.integer({ min: 0, max: 900_000 }),
        hops: fc.integer({ min: 0, max: 64 }),
        key: word,
        traceparent: word,
      },
      { requiredKeys: ['callId', 'rootId', 'revision', 'caller', 'attempt', 'timeoutMs', 'hops'], ...PLAIN },
    ),
    payload: fc.record({ contentType: word, bytes }, PLAIN),
  },
  PLAIN,
);
const answers: fc.Arbitrary<Answer> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('Result' as const),
      payload: fc.record({ contentType: word, bytes }, PLAIN),
      machine: word,
      instance: word,
      tookMs: fc.integer({ min: 0, max: 1e9 }).map((us) => us / 1000),
    },
    { requiredKeys: ['kind', 'payload', 'machine', 'instance'], ...PLAIN },
  ),
  fc.record(
    {
      kind: fc.constant('Error' as const),
      error: fc
        .tuple(fc.constantFrom(...ERROR_CODES), fc.string())
        .map(([code, message]) => new CallError(code, message, { function: 'f' })),
      machine: word,
      instance: word,
    },
    PLAIN,
  ),
  fc.record({ kind: fc.constant('Accepted' as const), cancelTo: word, machine: word, instance: word }, PLAIN),
  fc.record({ kind: fc.constant('Alive' as const), instance: word }, PLAIN),
);

const call = (change: Readonly<Record<string, string>> = {}): Block => {
  const h = new Block();
  writeCall(h, {
    head: {
      callId: 'c1',
      rootId: 'r1',
      revision: 'v1',
      caller: 'a',
      attempt: 1,
      timeoutMs: 1000,
      hops: 0,
    },
    payload: { contentType: 'text/plain', bytes: BYTES },
  });
  for (const [name, value] of Object.entries(change)) h.set(name, value);
  return h;
};

describe('frames', () => {
  it('of a call come back as they were', () => {
    fc.assert(
      fc.property(calls, (c) => {
        const h = new Block();
        writeCall(h, c);
        assert.deepEqual(readCall(h, c.payload.bytes), c);
      }),
    );
  });

  it('of an answer come back as they were', () => {
    fc.assert(
      fc.property(answers, (a) => {
        const h = new Block();
        const read = readAnswer(h, writeAnswer(h, a));
        assert.ok(read);
        if (a.kind === 'Error' && read.kind === 'Error')
          assert.deepEqual({ ...read, error: read.error.toWire() }, { ...a, error: a.error.toWire() });
        else assert.deepEqual(read, a);
      }),
    );
  });

  it('of a cancellation come back as they were', () => {
    const h = new Block();
    writeCancel(h, 'c1');
    assert.equal(readCancel(h), 'c1');
    assert.equal(readCancel(call()), undefined);
    assert.equal(readCancel(undefined), undefined);
  });

  it('carry whole milliseconds, never fewer than none', () => {
    const h = new Block();
    const c = { callId: 'c', rootId: 'r', revision: 'v', caller: 'a', attempt: 1, hops: 0 };
    const payload = { contentType: 'text/plain', bytes: BYTES };
    writeCall(h, { head: { ...c, timeoutMs: -3.5 }, payload });
    assert.equal(h.get(HEADER.timeoutMs), '0');
    writeCall(h, { head: { ...c, timeoutMs: 12.6 }, payload });
    assert.equal(h.get(HEADER.timeoutMs), '13');
  });
});

describe('a call that is malformed', () => {
  const malformed: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['no version', { [HEADER.version]: '' }],
    ['a version that is a word', { [HEADER.version]: 'one' }],
    ['another frame', { [HEADER.frame]: 'Result' }],
    ['no frame', { [HEADER.frame]: '' }],
    ['no call id', { [HEADER.callId]: '' }],
    ['a call id with a dot', { [HEADER.callId]: 'a.b' }],
    ['a call id with a wildcard', { [HEADER.callId]: '*' }],
    ['a call id that is too long', { [HEADER.callId]: 'a'.repeat(65) }],
    ['no time', { [HEADER.timeoutMs]: '' }],
    ['time that is no number', { [HEADER.timeoutMs]: 'soon' }],
    ['negative time', { [HEADER.timeoutMs]: '-1' }],
    ['endless time', { [HEADER.timeoutMs]: 'Infinity' }],
    ['no hops', { [HEADER.hops]: '' }],
    ['half a hop', { [HEADER.hops]: '0.5' }],
    ['attempt nought', { [HEADER.attempt]: '0' }],
  ];
  for (const [name, change] of malformed)
    it(`is refused, saying why: ${name}`, () => {
      const read = readCall(call(change), BYTES);
      assert.ok('unreadable' in read && read.unreadable.length > 10);
      assert.ok(read.unreadable.length < 300);
    });

  it('is refused when it has no headers at all', () => {
    assert.ok('unreadable' in readCall(undefined, BYTES));
    assert.equal(readAnswer(undefined, BYTES), undefined);
  });

  it('never throws, whatever stands in the headers', () => {
    const header = fc.constantFrom(...Object.values(HEADER));
    fc.assert(
      fc.property(fc.array(fc.tuple(header, fc.string())), bytes, (pairs, body) => {
        const h = call(Object.fromEntries(pairs));
        readCall(h, body);
        readAnswer(h, body);
        readCancel(h);
      }),
    );
  });

  it('takes what is missing but not needed from what is there', () => {
    const read = readCall(call({ [HEADER.rootId]: '', [HEADER.contentType]: '' }), BYTES);
    assert.ok('head' in read);
    assert.equal(read.head.rootId, 'c1');
    assert.equal(read.payload.contentType, 'application/octet-stream');
  });

  it('ignores headers that it does not know', () => {
    assert.ok('head' in readCall(call({ 'Sinter-Mood': 'good' }), BYTES));
  });
});

describe('the version of the contract', () => {
  const spoken: readonly (readonly [number, boolean])[] = [
    [OLDEST_SPOKEN_VERSION, true],
    [CONTRACT_VERSION, true],
    [CONTRACT_VERSION + 1, true],
    [CONTRACT_VERSION + 2, false],
    [OLDEST_SPOKEN_VERSION - 1, false],
    [CONTRACT_VERSION + 0.5, false],
    [NaN, false],
  ];
  for (const [version, yes] of spoken)
    it(`${String(version)} is ${yes ? '' : 'not '}spoken, in every frame`, () => {
      assert.equal(isSpoken(version), yes);
      const h = call({ [HEADER.version]: String(version) });
      assert.equal('head' in readCall(h, BYTES), yes);
      h.set(HEADER.frame, 'Alive');
      assert.equal(readAnswer(h, BYTES) !== undefined, yes);
      h.set(HEADER.frame, 'Cancel');
      assert.equal(readCancel(h) !== undefined, yes);
    });
});

describe('an answer', () => {
  it('of an unknown kind is none', () => {
    assert.equal(readAnswer(call({ [HEADER.frame]: 'Maybe' }), BYTES), undefined);
    assert.equal(readAnswer(call(), BYTES), undefined);
  });
});

describe('call ids', () => {
  it('are one token, and differ', () => {
    const ids = Array.from({ length: 5000 }, () => newId());
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.every((x) => isCallId(x) && x.length === 20));
  });
});
