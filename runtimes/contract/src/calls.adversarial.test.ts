/** Whatever comes, in whatever order, at whatever time: what the state machine of a call promises must hold. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CallMachine, NO_ROOM, SENDS_LIMIT } from './calls.ts';
import { RESEND_AFTER_MS } from './patience.ts';
import type { CallStep } from './calls.ts';
import { CallError, ERROR_CODES } from './errors.ts';
import type { Answer } from './frames.ts';

const AT = { machine: 'm', instance: 'i' };
const answers: fc.Arbitrary<Answer> = fc.oneof(
  fc.constant<Answer>({ kind: 'Result', payload: { contentType: '', bytes: new Uint8Array(0) }, ...AT }),
  fc.constant<Answer>({ kind: 'Accepted', cancelTo: 'c', ...AT }),
  fc.constant<Answer>({ kind: 'Alive', instance: 'i' }),
  fc
    .tuple(fc.constantFrom(...ERROR_CODES), fc.constantFrom({}, { reason: NO_ROOM }))
    .map(([code, more]): Answer => ({ kind: 'Error', error: new CallError(code, 'x', more), ...AT })),
);
type Event =
  | { readonly is: 'Frame'; readonly answer: Answer; readonly attempt: number | undefined }
  | { readonly is: 'Time'; readonly ms: number }
  | { readonly is: 'Nobody' | 'Lost' | 'Cancel' | 'Due' };
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constant('Frame' as const),
      answer: answers,
      attempt: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ is: fc.constant('Time' as const), ms: fc.integer({ min: 0, max: 400 }) }),
  },
  { weight: 4, arbitrary: fc.constant<Event>({ is: 'Due' }) },
  { weight: 2, arbitrary: fc.constant<Event>({ is: 'Nobody' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ is: 'Lost' }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 0, max: 30 })
      .map((n): Event => (n === 0 ? { is: 'Cancel' } : { is: 'Due' })),
  },
);
const terms = fc.record({
  timeoutMs: fc.integer({ min: 1, max: 20_000 }),
  retry: fc.record({
    attempts: fc.integer({ min: 1, max: 4 }),
    on: fc.subarray([...ERROR_CODES]),
    backoffSeconds: fc.constantFrom(0, 0.01, 1),
    maxBackoffSeconds: fc.constantFrom(0, 0.5, 10),
  }),
});

/** Runs a story to its end and checks every step. */
function play(
  events: readonly Event[],
  t: ReturnType<typeof terms.generate>['value'],
  downEvery: number,
): void {
  const startedAt = 5_000;
  let now = startedAt;
  const machine = new CallMachine('a → b', t, now, RESEND_AFTER_MS);
  let settled = 0;
  let attempt = 0;
  let silentSends = 0;
  let sends = 0;
  let ticks = 0;
  const look = (step: CallStep): void => {
    if (settled > 0) assert.equal(step.do, 'Nothing', 'something is done after it was settled');
    if (step.do === 'Send') {
      assert.ok(step.attempt >= attempt && step.attempt <= t.retry.attempts, 'attempts grow, to the limit');
      assert.ok(step.timeoutMs > 0 && step.timeoutMs <= t.timeoutMs);
      if (step.attempt > attempt) silentSends = 0;
      attempt = step.attempt;
      if (downEvery > 0 && ++sends % downEvery === 0) {
        look(machine.unsent(now));
        return;
      }
      silentSends += 1;
      assert.ok(silentSends <= SENDS_LIMIT, 'too many sends into silence');
    }
    if (step.do === 'Settle') {
      settled += 1;
      assert.ok(now <= startedAt + t.timeoutMs, `settled ${String(now - startedAt)} ms after its start`);
    }
    assert.equal(machine.settled, settled > 0);
  };
  /** Time passes as a driver lets it: it ticks at the latest when it must. */
  const until = (at: number): void => {
    while (!machine.settled && machine.dueAtMs <= at) {
      now = Math.max(now, machine.dueAtMs);
      look(machine.tick(now));
      assert.ok(++ticks < 5_000, 'a driver that ticks when it must is not kept busy');
    }
    now = Math.max(now, at);
  };
  look(machine.start(now));
  for (const e of events) {
    switch (e.is) {
      case 'Frame':
        silentSends = 0;
        look(machine.answer(e.answer, now, e.attempt));
        break;
      case 'Time':
        until(now + e.ms);
        break;
      case 'Due':
        if (!machine.settled) until(machine.dueAtMs);
        break;
      case 'Nobody':
        silentSends = 0;
        look(machine.noResponders(now));
        break;
      case 'Lost':
        look(machine.connectionLost(now));
        break;
      case 'Cancel':
        look(machine.cancel());
        break;
    }
  }
  until(startedAt + t.timeoutMs);
  assert.equal(settled, 1, 'settled exactly once, at the latest at its deadline');
}

describe('a call under attack', () => {
  it('is settled once, in time, with few sends into silence and no attempt too many', () => {
    fc.assert(fc.property(fc.array(event, { maxLength: 60 }), terms, fc.integer({ min: 0, max: 4 }), play), {
      numRuns: 3000,
    });
  });

  it('with a clock that stands still does not send for ever', () => {
    const machine = new CallMachine('a → b', { timeoutMs: 1_000 }, 0, RESEND_AFTER_MS);
    let sends = machine.start(0).do === 'Send' ? 1 : 0;
    for (let i = 0; i < 1_000; i++) if (machine.tick(0).do === 'Send') sends += 1;
    assert.equal(sends, 1);
  });

  it('with a clock that runs backwards does not send', () => {
    const machine = new CallMachine('a → b', { timeoutMs: 1_000 }, 500, RESEND_AFTER_MS);
    machine.start(500);
    assert.equal(machine.tick(-10_000).do, 'Nothing');
    assert.equal(machine.tick(600).do, 'Send');
  });

  it('that never ends by itself ends at a deadline that is far away', () => {
    const machine = new CallMachine('a → b', { timeoutMs: Number.MAX_SAFE_INTEGER }, 0, RESEND_AFTER_MS);
    machine.start(0);
    machine.noResponders(0);
    for (let now = 0; now < 10_000; now += 50) {
      if (machine.tick(now).do === 'Send') machine.noResponders(now);
    }
    assert.equal(machine.settled, false);
  });
});
