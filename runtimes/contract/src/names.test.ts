import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { environmentVariable } from './environment.ts';
import {
  GATEWAY_CALLER,
  TRIGGER_CALLER,
  answerableInboxes,
  asyncStream,
  asyncStreamSubjects,
  callKey,
  callLabel,
  callSubject,
  controlSubject,
  deadSubject,
  entryKey,
  gatewayInbox,
  heldSubject,
  isAnswerable,
  isControl,
  liveSubject,
  modulesBucket,
  objectStream,
  parseCallSubject,
  parseInstanceSubject,
  parseModulesStream,
  parseRouteKey,
  parseWorkSubject,
  routeKey,
  seenSubject,
  unitInbox,
  workFilter,
  workSubject,
} from './names.ts';

/** Names that are as alike as DNS labels can be. */
const label = fc.oneof(
  fc.constantFrom('a', 'b', 'a-a', 'a--a', 'a-b', 'fn', 'work', 'i1'),
  fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/),
);
const workflow = fc.record({ namespace: label, workflow: label }, { noNullPrototype: true });
const callId = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const caller = fc.oneof(label, fc.constantFrom('_gateway', '_trigger'));

/** Does a subject fall under a pattern with `*` and `>`? */
const matches = (pattern: string, subject: string): boolean => {
  const p = pattern.split('.');
  const s = subject.split('.');
  for (const [i, token] of p.entries()) {
    if (token === '>') return s.length > i;
    if (s[i] === undefined || (token !== '*' && token !== s[i])) return false;
  }
  return p.length === s.length;
};

const sameOnlyIfEqual = <T>(arbitrary: fc.Arbitrary<T>, name: (x: T) => string): void => {
  fc.assert(
    fc.property(arbitrary, arbitrary, (x, y) => {
      if (name(x) === name(y)) assert.deepEqual(x, y);
    }),
    { numRuns: 2000 },
  );
};

describe('subjects', () => {
  it('of calls are read back as what they were made of', () => {
    fc.assert(
      fc.property(workflow, label, label, (w, revision, fn) => {
        assert.deepEqual(parseCallSubject(callSubject(w, revision, fn)), { ...w, revision, fn });
      }),
    );
  });

  it('of async work are read back as what they were made of', () => {
    fc.assert(
      fc.property(workflow, label, caller, callId, (w, fn, from, id) => {
        for (const make of [workSubject, heldSubject, deadSubject])
          assert.deepEqual(parseWorkSubject(make(w, fn, from, id)), { ...w, fn, caller: from, callId: id });
        assert.ok(matches(workFilter(w, fn), workSubject(w, fn, from, id)));
        assert.ok(!matches(workFilter(w, fn), deadSubject(w, fn, from, id)));
        for (const make of [workSubject, heldSubject, deadSubject])
          assert.equal(asyncStreamSubjects(w, fn).filter((p) => matches(p, make(w, fn, from, id))).length, 1);
      }),
    );
  });

  it('of instances are read back as what they were made of', () => {
    fc.assert(
      fc.property(workflow, caller, label, (w, unit, instance) => {
        const key = { ...w, unit, instance };
        assert.deepEqual(parseInstanceSubject(liveSubject(key)), key);
        assert.deepEqual(parseInstanceSubject(seenSubject(key)), key);
      }),
    );
  });

  it('of other things are read as nothing', () => {
    for (const s of ['', 'fn', 'fn.a.b.c', 'fn.a.b.c.d.e', 'fn.a..c.d', 'work.a.b.c.d.e', '_INBOX.a.b.c.d'])
      assert.equal(parseCallSubject(s), undefined, s);
    for (const s of ['', 'work.a.b.c.d', 'work.a.b.c.d.e.f', 'fn.a.b.c.d.e', 'work.a.b.c.d.'])
      assert.equal(parseWorkSubject(s), undefined, s);
    for (const s of ['live.a.b.c', 'live.a.b.c.d.e', 'seen....', 'fn.a.b.c.d'])
      assert.equal(parseInstanceSubject(s), undefined, s);
  });
});

describe('names', () => {
  const key = fc.tuple(workflow, label);
  it('are never the same for two things', () => {
    sameOnlyIfEqual(key, ([w, fn]) => asyncStream(w, fn));
    sameOnlyIfEqual(workflow, routeKey);
    sameOnlyIfEqual(workflow, entryKey);
    sameOnlyIfEqual(key, ([w, id]) => callKey(w, id));
    sameOnlyIfEqual(label, modulesBucket);
    sameOnlyIfEqual(key, ([w, unit]) => unitInbox({ ...w, unit, instance: 'i' }));
    sameOnlyIfEqual(fc.tuple(label, label), ([fn, name]) => environmentVariable(fn, name.toUpperCase()));
  });

  it('of streams and buckets are ones that the server takes', () => {
    fc.assert(
      fc.property(key, ([w, fn]) => {
        assert.match(asyncStream(w, fn), /^[A-Za-z0-9_-]+$/);
        assert.equal(parseModulesStream(asyncStream(w, fn)), undefined);
        assert.equal(parseModulesStream(objectStream(modulesBucket(w.namespace))), w.namespace);
      }),
    );
  });

  it('of entries are no names of routes', () => {
    fc.assert(
      fc.property(workflow, workflow, (a, b) => {
        assert.notEqual(entryKey(a), routeKey(b));
        assert.ok(!matches('*.*', entryKey(a)));
        assert.deepEqual([parseRouteKey(routeKey(a)), parseRouteKey(entryKey(a))], [a, a]);
      }),
    );
  });
});

describe("a function's variables", () => {
  it('are no prefix of those of another function', () => {
    fc.assert(
      fc.property(label, label, fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/), (f, g, name) => {
        if (f !== g) assert.ok(!environmentVariable(f, name).startsWith(environmentVariable(g, '')));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a reply address', () => {
  const w = { namespace: 'ns', workflow: 'wf' };
  const own = unitInbox({ ...w, unit: 'u', instance: 'i' });
  it("is answered when it is a unit's of the workflow, or a gateway's", () => {
    assert.ok(isAnswerable(w, `${own}.0.c.1`));
    assert.ok(isAnswerable(w, `${gatewayInbox('i')}.0.c.1`));
  });
  it('is not answered when it is anything else', () => {
    for (const reply of ['', '_INBOX.ns.wf', '_INBOX.ns.wf2.u.i', '_INBOX.x', 'fn.ns.wf.r.f', '_INBOX._gw'])
      assert.equal(isAnswerable(w, reply), false, reply);
  });
  it('is answered only where the rights allow it', () => {
    fc.assert(
      fc.property(workflow, label, label, (other, unit, instance) => {
        const reply = `${unitInbox({ ...other, unit, instance })}.0.c.1`;
        assert.equal(
          isAnswerable(w, reply),
          answerableInboxes(w).some((p) => matches(p, reply)),
        );
      }),
    );
  });
});

describe('an address for cancellations', () => {
  const w = { namespace: 'ns', workflow: 'wf' };
  it("is an instance's of the workflow", () => {
    assert.ok(isControl(w, controlSubject(`${unitInbox({ ...w, unit: 'u', instance: 'i' })}.0`)));
  });
  it('is nothing else that a callee may name', () => {
    for (const subject of [
      '',
      '_INBOX.ns.other.u.i.0.ctl',
      '_INBOX.ns.wf.u.i.0.c.1',
      '$KV.sinter-calls.ns.wf.x',
      'fn.ns.wf.r.f',
      '_INBOX.ns.wf.*.i.0.ctl',
      '_INBOX.ns.wf.>.ctl',
      '_INBOX.ns.wf.u i.ctl',
      '_INBOX.ns.wf..ctl',
    ])
      assert.equal(isControl(w, subject), false, subject);
  });
});

it('messages name a call by both ends, and one from outside by its function', () => {
  assert.equal(callLabel('ingest', 'count'), 'ingest → count');
  assert.equal(callLabel(GATEWAY_CALLER, 'ingest'), 'ingest');
  assert.equal(callLabel(TRIGGER_CALLER, 'ingest'), 'ingest');
});
