/**
 * The conformance suite: what every channel and every runtime has to do alike (D4).
 *
 * `conformance(name, setup)` runs it with node:test. `setup` starts the standard functions (`functions.ts`) the way that is to
 * be tested and gives a `Bench`; the suite asks the function `front` to call the others and compares what `front` saw.
 * Owns: expectations, the same for all; what cannot be had somewhere is skipped with the reason, never expected otherwise.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PAYLOAD_LIMIT_BYTES } from '../src/index.ts';
import type { ArtifactType } from './functions.ts';

export { BESIDE_FRONT, EDGES, FUNCTIONS, moduleOf } from './functions.ts';
export type { ArtifactType, StandardFunction } from './functions.ts';

/** A value, told in JSON: as it is to be made, or as it was seen. */
export type Value =
  | { readonly kind: 'Json'; readonly value: unknown }
  | { readonly kind: 'Text'; readonly text?: string; readonly size?: number }
  | {
      readonly kind: 'Bytes';
      readonly bytes?: readonly number[];
      readonly size?: number;
      readonly sum?: number;
    }
  | { readonly kind: 'FillBytes' | 'FillText'; readonly size: number }
  | { readonly kind: 'Undefined' | 'Number' };

/** What `front` is to do: call `to` with `input`, several times at once where `times` says so. */
export interface Script {
  readonly to: string;
  readonly input: Value;
  readonly timeoutSeconds?: number;
  readonly abortAfterMs?: number;
  readonly times?: number;
}

/** What `front` saw of one call. */
export interface Told {
  readonly ok: boolean;
  readonly got?: Value;
  readonly name?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly function?: string;
  readonly message?: string;
  /** Its own value, after the call. */
  readonly sent: Value;
  readonly ms: number;
}

export type Misdeed = 'Swallow' | 'AnswerTwice' | 'AnswerLate';

/** The standard functions, running; `undefined` where something cannot be had is said with the reason in `cannot`. */
export interface Bench {
  /** Has `front` run a script. Rejects only when `front` itself cannot be reached. */
  readonly front: (script: Script) => Promise<readonly Told[]>;
  /** Sends a signal to the process of the callees, and starts another where that ends it. */
  readonly signalCallee: (signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') => Promise<void>;
  /** Another instance of `count` that does this to so many calls, then leaves. */
  readonly rogue: (misdeed: Misdeed, calls: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface Setup {
  readonly callee: ArtifactType;
  readonly start: () => Promise<Bench>;
  /** Why the callee cannot be killed or a rogue cannot stand beside it: these cases are skipped with this reason. */
  readonly cannotMisbehave?: string;
}

const json = (value: unknown): Value => ({ kind: 'Json', value });
const text = (s: string): Value => ({ kind: 'Text', text: s });
const bytes = (...b: number[]): Value => ({ kind: 'Bytes', bytes: b });

const SAME: readonly (readonly [string, Value])[] = [
  ['an object', json({ a: [1, 'two', null, true, { b: {} }], ü: '𝄞\u0000' })],
  ['a list', json([])],
  ['null', json(null)],
  ['a number', json(-1.5e-7)],
  ['false', json(false)],
  ['text', text('plain')],
  ['unicode', text('grüße, 世界 𝄞 \u202e \u0000 \ufeff')],
  ['empty text', text('')],
  ['text that looks like JSON', text('{"a":1}')],
  ['bytes', bytes(0, 1, 127, 128, 255)],
  ['no bytes', bytes()],
];

const SIZES = [1, 1024, 65_536, 262_145, PAYLOAD_LIMIT_BYTES];

export function conformance(name: string, setup: Setup): void {
  describe(name, { concurrency: 1 }, () => {
    let running: Bench | undefined;
    before(async () => {
      running = await setup.start();
    });
    after(async () => {
      await running?.stop();
    });
    const bench = (): Bench => {
      if (!running) throw new Error('was not started');
      return running;
    };
    cases(bench, setup);
  });
}

function cases(bench: () => Bench, { callee, cannotMisbehave }: Setup): void {
  const many = (script: Script): Promise<readonly Told[]> => bench().front(script);
  const one = async (script: Script): Promise<Told> => {
    const [told] = await many(script);
    assert.ok(told);
    return told;
  };
  const call = (to: string, input: Value, more: Partial<Script> = {}): Promise<Told> =>
    one({ to, input, ...more });
  const succeeds = async (to: string, input: Value, got: Value = input): Promise<void> => {
    const told = await call(to, input);
    assert.deepEqual(told.got, got, told.message);
  };
  const fails = async (
    to: string,
    input: Value,
    expected: { readonly code: string; readonly reason?: string; readonly message?: RegExp },
    more: Partial<Script> = {},
  ): Promise<Told> => {
    const told = await call(to, input, more);
    assert.equal(told.code, expected.code, told.message);
    if (expected.reason !== undefined) assert.equal(told.reason, expected.reason, told.message);
    if (expected.message) assert.match(told.message ?? '', expected.message);
    return told;
  };
  const javascriptOnly =
    callee === 'Wasm' ? { skip: 'a WASI command has no values of its own and calls nobody' } : {};
  const misbehaving = cannotMisbehave === undefined ? {} : { skip: cannotMisbehave };

  describe('values', () => {
    for (const [what, value] of SAME) it(`come back as they were: ${what}`, () => succeeds('echo', value));
    it('undefined is null', () => succeeds('echo', { kind: 'Undefined' }, json(null)));
    for (const size of SIZES) {
      it(`of ${String(size)} bytes`, () =>
        succeeds(
          'echo',
          { kind: 'FillBytes', size },
          size > 1000 ? { kind: 'Bytes', size, sum: 7 * size } : bytes(7),
        ));
      it(`of ${String(size)} characters`, () =>
        succeeds('echo', { kind: 'FillText', size }, size > 1000 ? { kind: 'Text', size } : text('x')));
    }
    it('that are too large are not sent', () =>
      fails('echo', { kind: 'FillBytes', size: PAYLOAD_LIMIT_BYTES + 1 }, { code: 'PayloadTooLarge' }).then(
        () => undefined,
      ));
    it('that are too large are not given back', async () => {
      const size = PAYLOAD_LIMIT_BYTES + 1;
      const told = await call('grow', json(size));
      assert.ok(
        told.code === 'PayloadTooLarge' ||
          (told.code === 'FunctionFailed' && told.reason === 'PayloadTooLarge'),
        told.message,
      );
    });
    it('are the caller’s own: a callee that changes them changes a copy', javascriptOnly, async () => {
      const object = await call('mutate', json({ inner: { list: ['a'] }, kept: 1 }));
      assert.deepEqual(object.sent, json({ inner: { list: ['a'] }, kept: 1 }));
      assert.deepEqual(object.got, json({ inner: { list: ['a', 'added'] } }));
      const data = await call('mutate', bytes(1, 2, 3));
      assert.deepEqual([data.sent, data.got], [bytes(1, 2, 3), bytes(0, 0, 0)]);
    });
    const odd: readonly (readonly [string, Value])[] = [
      ['undefined', json(null)],
      ['null', json(null)],
      ['date', text('1970-01-01T00:00:00.000Z')],
      ['zero', json(0)],
      ['holes', json([null, 1])],
      ['dropped', json({ b: 1 })],
    ];
    for (const [which, value] of odd)
      it(`that a callee gives are as through JSON: ${which}`, javascriptOnly, () =>
        succeeds('odd', text(which), value),
      );
    it('that JSON can say and UTF-8 cannot are kept', javascriptOnly, async () => {
      assert.deepEqual((await call('odd', text('surrogate'))).got, text('\ud800'));
    });
    for (const which of ['NaN', 'BigInt', 'cycle', 'map', 'promise', 'function'])
      it(`that JSON cannot say are the callee's failure: ${which}`, javascriptOnly, async () => {
        await fails('odd', text(which), {
          code: 'FunctionFailed',
          reason: 'NotJson',
          message: /cannot be said in JSON/,
        });
      });
  });

  describe('errors', () => {
    it('carry code, message and function', async () => {
      const told = await fails('fail', json(1), {
        code: 'FunctionFailed',
        message: /no way, said the function/,
      });
      assert.deepEqual([told.name, told.function], ['CallError', 'fail']);
    });
    it('of a crash are the callee’s failure', async () => {
      await fails('trap', json({}), { code: 'FunctionFailed' });
      await succeeds('echo', text('all else lives'));
    });
    const thrown: readonly (readonly [string, RegExp])[] = [
      ['string', /just text/],
      ['undefined', /undefined/],
      ['null', /null/],
      ['number', /5/],
      ['object', /./],
      ['bare', /./],
      ['error', /of a type/],
      ['long', /y{100}/],
    ];
    for (const [which, message] of thrown)
      it(`have a message of bounded length whatever is thrown: ${which}`, javascriptOnly, async () => {
        const told = await fails('throws', text(which), { code: 'FunctionFailed', message });
        assert.ok((told.message ?? '').length <= 4_096);
      });
    it('name the edge that was not declared', async () => {
      await fails('secret', json(1), { code: 'EdgeNotDeclared', message: /front.*secret/ });
      await fails('nowhere', json(1), { code: 'EdgeNotDeclared', message: /front.*nowhere/ });
    });
    it('follow an attempt to end the process, which lives on', javascriptOnly, async () => {
      for (const how of ['exit', 'chdir', 'abort', 'kill']) {
        const told = await call('exit', text(how));
        assert.equal(told.code, 'FunctionFailed', how);
        await succeeds('echo', text(how));
      }
    });
    it('of too much memory end the function’s thread alone', async () => {
      const told = await fails('hog', json(1), { code: 'FunctionFailed' });
      assert.ok(told.ms < 10_000);
      await succeeds('echo', text('all else lives'));
    });
  });

  describe('time', { concurrency: 3 }, () => {
    it('of a call is bounded by its caller', async () => {
      const told = await fails('slow', json(5_000), { code: 'Timeout' }, { timeoutSeconds: 0.2 });
      assert.ok(told.ms >= 195 && told.ms < 1_000, `${String(told.ms)} ms`);
    });
    it('of a call is bounded by its callee, and an endless loop ends with its thread', async () => {
      const told = await fails('loop', text('for ever'), { code: 'Timeout' });
      assert.ok(told.ms >= 990 && told.ms < 2_500, `${String(told.ms)} ms`);
      await succeeds('echo', text('all else lives'));
      // A second after the deadline the thread is ended; until then it may cost further calls their time.
      for (let i = 0; ; i++) {
        const again = await call('loop', text(''));
        if (again.ok) break;
        assert.ok(i < 4 && /Timeout|FunctionFailed/.test(again.code ?? ''), again.message);
      }
    });
    it('is not the limit of what lives: a call that takes 3.5 s', async () => {
      const told = await call('slow', json(3_500));
      assert.deepEqual(told.got, json(3_500), told.message);
      assert.ok(told.ms >= 3_490 && told.ms < 9_000, `${String(told.ms)} ms`);
    });
    for (const [when, abortAfterMs] of [
      ['before it is accepted', 10],
      ['after it was accepted', 150],
    ] as const)
      it(`given back by cancelling ${when}`, async () => {
        const script = { timeoutSeconds: 20, abortAfterMs };
        const told = await fails(
          'slow',
          json(callee === 'Wasm' ? 9_000 : { ms: 9_000, name: when }),
          { code: 'Cancelled' },
          script,
        );
        assert.ok(told.ms < abortAfterMs + 500, `${String(told.ms)} ms`);
        if (callee === 'JavaScript') await stopped(when);
      });
    it('given back reaches the end of a chain', javascriptOnly, async () => {
      await fails('passing', json({ ms: 9_000, name: 'deep' }), { code: 'Cancelled' }, { abortAfterMs: 150 });
      await stopped('deep');
    });
    it('that has run out reaches the end of a chain', javascriptOnly, async () => {
      await fails('passing', json({ ms: 9_000, name: 'late' }), { code: 'Timeout' }, { timeoutSeconds: 0.2 });
      await stopped('late');
    });
  });
  /** Waits until the callee has heard that this call is to stop. */
  const stopped = async (name: string): Promise<void> => {
    for (let i = 0; ; i++) {
      const { got } = await call('slow', text('stopped'));
      const names = got?.kind === 'Json' && Array.isArray(got.value) ? (got.value as unknown[]) : [];
      if (names.includes(name)) return;
      assert.ok(i < 50, `'${name}' was not told to stop; told were ${JSON.stringify(names)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  describe('many calls', () => {
    it('at once each get their own answer, beyond what may run at once', async () => {
      const told = await many({ to: 'echo', input: { kind: 'Number' }, times: 200 });
      assert.deepEqual(
        told.map((t) => t.got),
        Array.from({ length: 200 }, (_, n) => json({ n })),
      );
    });
    it('take turns: those that sleep do not wait for each other', javascriptOnly, async () => {
      const told = await many({ to: 'slow', input: json(300), times: 50 });
      assert.ok(
        told.every((t) => t.ok && t.ms < 1_500),
        String(Math.max(...told.map((t) => t.ms))),
      );
    });
    it('in a chain pass through three functions and back', javascriptOnly, () =>
      succeeds('chain-a', json([]), json(['chain-b', 'chain-c', 'end', 'back', 'back'])),
    );
    it('made by the callee in parallel are all answered', javascriptOnly, () =>
      succeeds('fan', json(40), json(780)),
    );
    it('run once each', javascriptOnly, async () => {
      await many({ to: 'count', input: { kind: 'Number' }, times: 50 });
      const { got } = await call('count', text('counts'));
      assert.ok(got?.kind === 'Json');
      assert.equal((got.value as { most: number }).most, 1);
    });
  });

  describe('a callee', misbehaving, () => {
    it('that swallows a call is passed over: the call is sent again', javascriptOnly, async () => {
      await bench().rogue('Swallow', 2);
      for (let i = 0; i < 20; i++) await succeeds('count', json(i));
    });
    it('that answers twice is heard once', javascriptOnly, async () => {
      await bench().rogue('AnswerTwice', 3);
      for (let i = 0; i < 20; i++) {
        const { got, message } = await call('count', json(i));
        assert.ok(got?.kind === 'Json' || (got?.kind === 'Text' && got.text === 'first'), message);
      }
    });
    it('that answers too late is not heard', javascriptOnly, async () => {
      await bench().rogue('AnswerLate', 1);
      const codes = new Set<string>();
      for (let i = 0; i < 20; i++)
        codes.add((await call('count', json(i), { timeoutSeconds: 0.3 })).code ?? 'ok');
      codes.delete('Timeout');
      assert.deepEqual([...codes], ['ok']);
    });
    it('that hangs is lost within three seconds, and served again when it is back', async () => {
      const slow = call('slow', json(8_000));
      await new Promise((resolve) => setTimeout(resolve, 300));
      await bench().signalCallee('SIGSTOP');
      try {
        const told = await slow;
        assert.equal(told.code, 'CalleeLost', told.message);
        assert.ok(told.ms < 3_800, `${String(told.ms)} ms`);
      } finally {
        await bench().signalCallee('SIGCONT');
      }
      await succeeds('echo', text('back'));
    });
    it('that is killed is lost within three seconds, and served again when it is back', async () => {
      const slow = call('slow', json(8_000));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const restarted = bench().signalCallee('SIGKILL');
      const told = await slow;
      assert.equal(told.code, 'CalleeLost', told.message);
      assert.ok(told.ms < 3_800, `${String(told.ms)} ms`);
      await restarted;
      await succeeds('echo', text('back'));
    });
  });
}
