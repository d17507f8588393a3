import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ELSEWHERE_AFTER_MS,
  CallMachine,
  LINK_WAIT_MS,
  LOST_AFTER_MS,
  NO_ROOM,
  ROOM_PAUSE_LIMIT_MS,
  SENDS_LIMIT,
  backoffMs,
} from './calls.ts';
import type { CallStep, CallTerms } from './calls.ts';
import { CallError } from './errors.ts';
import type { ErrorCode } from './errors.ts';
import type { Answer } from './frames.ts';
import { RESEND_AFTER_MS } from './patience.ts';
import type { RetryTerms } from './routes.ts';

const AT = { machine: 'm1', instance: 'i1' };
const PAYLOAD = { contentType: 'text/plain', bytes: Uint8Array.of(7) };
const RESULT: Answer = { kind: 'Result', payload: PAYLOAD, ...AT };
const ACCEPTED: Answer = { kind: 'Accepted', cancelTo: '_INBOX.n.w.u.i.0.ctl', ...AT };
const ALIVE: Answer = { kind: 'Alive', instance: 'i1' };
const error = (code: ErrorCode, reason?: string): Answer => ({
  kind: 'Error',
  error: new CallError(code, 'as said by the callee', reason === undefined ? {} : { reason }),
  ...AT,
});
const FULL = error('Overloaded', NO_ROOM);
const RETRY: RetryTerms = {
  attempts: 3,
  on: ['CalleeLost', 'ConnectionLost', 'FunctionFailed'],
  backoffSeconds: 0.1,
  maxBackoffSeconds: 1,
};

/** A call with the clock in hand. */
class Story {
  nowMs = 1_000;
  readonly machine: CallMachine;
  last: CallStep;

  constructor(terms: CallTerms = { timeoutMs: 30_000 }, resendAfterMs = RESEND_AFTER_MS) {
    this.machine = new CallMachine('a → b', terms, this.nowMs, resendAfterMs);
    this.last = this.machine.start(this.nowMs);
  }

  after(ms: number): this {
    this.nowMs += ms;
    this.last = this.machine.tick(this.nowMs);
    return this;
  }
  hears(answer: Answer, attempt?: number): this {
    this.last = this.machine.answer(answer, this.nowMs, attempt);
    return this;
  }
  nobody(): this {
    this.last = this.machine.noResponders(this.nowMs);
    return this;
  }
  disconnected(): this {
    this.last = this.machine.connectionLost(this.nowMs);
    return this;
  }
  unsent(): this {
    this.last = this.machine.unsent(this.nowMs);
    return this;
  }
  cancelled(): this {
    this.last = this.machine.cancel();
    return this;
  }
  sends(attempt = 1): this {
    const { last } = this;
    assert.equal(last.do === 'Send' ? last.attempt : last.do, attempt);
    return this;
  }
  waits(): this {
    assert.equal(this.last.do, 'Nothing');
    assert.equal(this.machine.settled, false);
    return this;
  }
  fails(code: ErrorCode, message?: RegExp): this {
    const { last } = this;
    if (last.do !== 'Settle' || last.outcome.ok) assert.fail(`no failure: ${last.do}`);
    const { error } = last.outcome;
    assert.equal(error.code, code, error.message);
    if (message) assert.match(error.message, message);
    assert.equal(this.machine.settled, true);
    return this;
  }
  succeeds(): this {
    assert.deepEqual(this.last, { do: 'Settle', outcome: { ok: true, payload: PAYLOAD, ...AT } });
    return this;
  }
  stops(at: string | undefined): this {
    assert.equal(this.last.do === 'Settle' ? this.last.cancelTo : 'not settled', at);
    return this;
  }
}

describe('a call', () => {
  it('is sent at once, with the time that it has', () => {
    assert.deepEqual(new Story().last, { do: 'Send', attempt: 1, timeoutMs: 30_000 });
  });
  it('is settled by its result', () => {
    new Story().sends().hears(RESULT).succeeds();
  });
  it('is settled by an error, which it passes on as it is', () => {
    new Story()
      .hears(error('FunctionFailed'))
      .fails('FunctionFailed', /^as said by the callee$/)
      .stops(undefined);
  });
  it('that has no time is never sent', () => {
    for (const timeoutMs of [0, -5, NaN]) new Story({ timeoutMs }).fails('Timeout');
  });
  it('ends at its deadline', () => {
    const s = new Story({ timeoutMs: 200 }).after(100).sends().after(99).waits();
    s.after(1).fails('Timeout', /a → b: no result within 200 ms/);
  });
  it('that lives still ends at its deadline, and its callee is told', () => {
    const s = new Story({ timeoutMs: 2_000 }).hears(ACCEPTED).after(1_000).hears(ALIVE).after(999).waits();
    s.after(1).fails('Timeout').stops('_INBOX.n.w.u.i.0.ctl');
  });
  it('takes the time that is left to a resend', () => {
    const s = new Story({ timeoutMs: 1_000 }).after(100);
    assert.deepEqual(s.last, { do: 'Send', attempt: 1, timeoutMs: 900 });
  });
});

/** Pauses between sends into silence. */
const PAUSES_MS = [100, 200, 400, 800];
/** From the last send to the end of patience. */
const REST_MS = LOST_AFTER_MS - PAUSES_MS.reduce((sum, ms) => sum + ms, 0);

describe('silence', () => {
  it(`is answered by ${String(SENDS_LIMIT)} sends, then the callee is lost`, () => {
    const s = new Story().sends();
    for (const ms of PAUSES_MS)
      s.after(ms - 1)
        .waits()
        .after(1)
        .sends();
    s.after(REST_MS - 1)
      .waits()
      .after(1)
      .fails('CalleeLost', /no sign of life after 5 sends/);
    assert.equal(s.machine.resends, SENDS_LIMIT - 1);
  });
  it('is given the time that signs take', () => {
    const s = new Story({ timeoutMs: 30_000 }, 900).after(899).waits().after(1).sends();
    s.after(899).waits().after(1).sends();
  });
  it('ends with a sign of life', () => {
    for (const sign of [ACCEPTED, ALIVE]) {
      const s = new Story().after(RESEND_AFTER_MS).sends().hears(sign).waits();
      s.after(LOST_AFTER_MS - 1)
        .waits()
        .hears(RESULT)
        .succeeds();
    }
  });
  it('of a callee that had accepted means that it is lost', () => {
    const s = new Story().hears(ACCEPTED).after(1_000).waits().hears(ALIVE);
    s.after(LOST_AFTER_MS - 1)
      .waits()
      .after(1)
      .fails('CalleeLost', /no sign of life for 2500 ms/);
    assert.equal(s.machine.resends, 0);
    s.stops(undefined);
  });
});

describe('nobody there, or no room', () => {
  for (const [name, told] of [
    ['no responders', (s: Story) => s.nobody()],
    ['a refusal for want of room', (s: Story) => s.hears(FULL)],
  ] as const) {
    it(`${name}: asks again, ever slower, until there is room`, () => {
      const s = new Story();
      for (const pause of [2, 4, 8, 16, 32, 50, 50])
        told(s)
          .waits()
          .after(pause - 1)
          .waits()
          .after(1)
          .sends();
      s.hears(RESULT).succeeds();
      assert.equal(s.machine.resends, 0);
    });
    it(`${name}: is Overloaded at the deadline, whether it pauses or asks just then`, () => {
      told(new Story({ timeoutMs: 100 }))
        .after(100)
        .fails('Overloaded', /no instance had room within 100 ms/);
      told(new Story({ timeoutMs: 100 }))
        .after(99)
        .sends()
        .after(1)
        .fails('Overloaded');
    });
  }
  it('no responders to a resend says nothing: the first send may be running', () => {
    const s = new Story().after(RESEND_AFTER_MS).sends().nobody().waits();
    s.after(RESEND_AFTER_MS - 1)
      .waits()
      .hears(ACCEPTED)
      .hears(RESULT)
      .succeeds();
  });
  it('no responders to the last resend: the first send was lost, and the call waits for room', () => {
    const s = new Story();
    for (const ms of PAUSES_MS) s.after(ms).sends();
    s.nobody().waits().after(REST_MS).waits().after(2).sends().hears(RESULT).succeeds();
  });
  it('no responders to an earlier resend only: a callee that is silent after the last one is lost', () => {
    const s = new Story();
    for (const [i, ms] of PAUSES_MS.entries()) (i === 0 ? s : s.nobody()).after(ms).sends();
    s.after(REST_MS).fails('CalleeLost');
  });
  it('is of no interest once it was accepted', () => {
    new Story().hears(ACCEPTED).nobody().hears(FULL).after(1_000).waits().hears(RESULT).succeeds();
  });
  it('a life sign of the first send ends the wait for room', () => {
    const s = new Story().after(RESEND_AFTER_MS).hears(FULL).hears(ACCEPTED).after(60).waits();
    s.hears(RESULT).succeeds();
  });
  it('ends a call soon whose caller has somewhere else to go', () => {
    const terms = { timeoutMs: 30_000, onNobody: 'GiveUp', retry: { ...RETRY, on: ['Overloaded'] } } as const;
    const gaveUp = (s: Story): void => {
      s.fails('Overloaded', /a → b: no instance listens/);
      assert.equal(s.last.do === 'Settle' && !s.last.outcome.ok && s.last.outcome.foundNobody, true);
    };
    gaveUp(new Story(terms).nobody().waits().after(ELSEWHERE_AFTER_MS).sends().nobody());
    const first = new Story(terms).hears(FULL).waits().after(ROOM_PAUSE_LIMIT_MS).sends();
    gaveUp(first.nobody().waits().after(ELSEWHERE_AFTER_MS).sends().nobody());
    new Story(terms).nobody().waits().after(ROOM_PAUSE_LIMIT_MS).sends().hears(RESULT).succeeds();
  });
  it('is not told of a call that may run: it is never sent elsewhere as well', () => {
    const terms = { timeoutMs: 30_000, onNobody: 'GiveUp' } as const;
    new Story(terms).after(RESEND_AFTER_MS).sends().nobody().waits();
    new Story(terms).hears(ACCEPTED).nobody().waits();
    const lost = new Story(terms).disconnected().fails('ConnectionLost');
    assert.equal(lost.last.do === 'Settle' && 'foundNobody' in lost.last.outcome, false);
  });
  it('Overloaded by the function itself is an error like others', () => {
    new Story().hears(error('Overloaded')).fails('Overloaded', /as said/);
  });
});

describe('the connection', () => {
  it('lost while the call is out settles it at once', () => {
    new Story().disconnected().fails('ConnectionLost');
    new Story().hears(ACCEPTED).disconnected().fails('ConnectionLost').stops(undefined);
  });
  it('lost while the call waits for room changes nothing', () => {
    new Story().nobody().disconnected().waits().after(2).sends();
  });
  it('down when a call is to be sent is waited for', () => {
    const s = new Story().unsent().waits();
    s.after(20).sends().unsent().after(20).sends().hears(RESULT).succeeds();
    assert.equal(s.machine.resends, 0);
  });
  it('down for long means that the bus is unavailable', () => {
    const s = new Story().unsent();
    for (let t = 20; t < LINK_WAIT_MS; t += 20) s.after(20).sends().unsent().waits();
    s.after(20)
      .sends()
      .unsent()
      .fails('BusUnavailable', /no server of the bus is reachable/);
  });
  it('lost for long after a send is ConnectionLost, because it may have run', () => {
    const s = new Story().after(RESEND_AFTER_MS).sends().unsent();
    for (let t = 20; t < LINK_WAIT_MS; t += 20) s.after(20).sends().unsent().waits();
    s.after(20).sends().unsent().fails('ConnectionLost');
  });
  it('counts a wait anew after it was up', () => {
    const s = new Story().unsent();
    for (let t = 0; t < LINK_WAIT_MS - 100; t += 20) s.after(20).sends().unsent();
    s.after(20).sends().nobody().after(2).sends().unsent();
    for (let t = 20; t < LINK_WAIT_MS; t += 20) s.after(20).sends().unsent().waits();
  });
});

describe('a retry by the terms of the edge', () => {
  it('is made for what they name, after a pause, as a further attempt', () => {
    const s = new Story({ timeoutMs: 30_000, retry: RETRY });
    s.hears(error('FunctionFailed')).waits().after(99).waits().after(1).sends(2);
    s.hears(error('FunctionFailed')).after(200).sends(3);
    s.hears(error('FunctionFailed')).fails('FunctionFailed');
  });
  it('is not made for what they do not name', () => {
    new Story({ timeoutMs: 30_000, retry: RETRY }).hears(error('NotAllowed')).fails('NotAllowed');
  });
  it('is made after loss, with as many sends as before', () => {
    const s = new Story({ timeoutMs: 30_000, retry: RETRY });
    const silence = (attempt: number): Story => {
      for (const ms of PAUSES_MS) s.after(ms).sends(attempt);
      return s.after(REST_MS).waits();
    };
    silence(1).after(100).sends(2);
    silence(2).after(200).sends(3).hears(RESULT).succeeds();
    assert.equal(s.machine.resends, 2 * (SENDS_LIMIT - 1));
  });
  it('is made after the connection was lost', () => {
    new Story({ timeoutMs: 30_000, retry: RETRY }).disconnected().waits().after(100).sends(2);
  });
  it('is not begun when its pause would end after the deadline', () => {
    new Story({ timeoutMs: 100, retry: RETRY }).hears(error('FunctionFailed')).fails('FunctionFailed');
  });
  it('is given up when a life sign of the attempt comes after all', () => {
    const s = new Story({ timeoutMs: 30_000, retry: RETRY }).hears(ACCEPTED).after(LOST_AFTER_MS).waits();
    s.hears(ALIVE).after(101).waits().hears(RESULT).succeeds();
  });
  it('hears of an older attempt its result alone', () => {
    const s = new Story({ timeoutMs: 30_000, retry: RETRY })
      .hears(error('FunctionFailed'))
      .after(100)
      .sends(2);
    s.hears(error('FunctionFailed'), 1).waits().hears(ACCEPTED, 1).after(100).sends(2).hears(FULL, 1).waits();
    s.hears(RESULT, 1).succeeds();
  });
  it('pauses twice as long each time, to a limit', () => {
    const terms = { ...RETRY, backoffSeconds: 1, maxBackoffSeconds: 5 };
    assert.deepEqual(
      [1, 2, 3, 4, 5, 1000].map((a) => backoffMs(terms, a)),
      [1000, 2000, 4000, 5000, 5000, 5000],
    );
  });
});

describe('cancelling', () => {
  it('settles at once, in whatever phase', () => {
    const retry = { timeoutMs: 30_000, retry: RETRY };
    new Story().cancelled().fails('Cancelled').stops(undefined);
    new Story().nobody().cancelled().fails('Cancelled');
    new Story().unsent().cancelled().fails('Cancelled');
    new Story(retry).hears(error('FunctionFailed')).cancelled().fails('Cancelled');
  });
  it('is told to a callee that has accepted', () => {
    new Story().hears(ACCEPTED).cancelled().fails('Cancelled').stops('_INBOX.n.w.u.i.0.ctl');
  });
  it('is not told to the callee of an attempt that is over', () => {
    const s = new Story({ timeoutMs: 30_000, retry: RETRY }).hears(ACCEPTED).after(LOST_AFTER_MS).waits();
    s.cancelled().fails('Cancelled').stops(undefined);
  });
});

describe('after it is settled', () => {
  it('nothing happens any more', () => {
    const s = new Story().hears(RESULT).succeeds();
    for (const act of [
      () => s.hears(RESULT),
      () => s.hears(error('Timeout')),
      () => s.hears(ACCEPTED),
      () => s.hears(ALIVE),
      () => s.nobody(),
      () => s.disconnected(),
      () => s.unsent(),
      () => s.cancelled(),
      () => s.after(100_000),
    ]) {
      act();
      assert.deepEqual(s.last, { do: 'Nothing' });
    }
  });
});
