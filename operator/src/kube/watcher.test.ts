import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMap } from './testServer.ts';
import {
  idle,
  RELIST_FAILURES,
  RELIST_MS,
  STABLE_MS,
  step,
  type Moment,
  type Step,
  type WatchInput,
  type WatchState,
} from './watcher.ts';
import type { KubeObject } from './objects.ts';

const at = (nowMs: number, random = 0): Moment => ({ nowMs, random });

/** Runs the inputs through; each is what the effect before it would bring. */
function play(
  inputs: readonly WatchInput<KubeObject>[],
  moment: Moment = at(0),
  from: WatchState = idle,
): Step<KubeObject> {
  let state = from;
  let last: Step<KubeObject> | undefined;
  for (const input of inputs) {
    last = step(state, input, moment);
    state = last.state;
  }
  assert.ok(last);
  return last;
}

const page = (resourceVersion: string, next?: string): WatchInput<KubeObject> => ({
  type: 'page',
  items: [configMap('one', '1')],
  resourceVersion,
  continue: next,
});
const line = (type: string, object: object): WatchInput<KubeObject> => ({
  type: 'line',
  line: JSON.stringify({ type, object }),
});
const failure = (gone: boolean, retryAfterMs?: number): WatchInput<KubeObject> => ({
  type: 'failed',
  failure: { gone, retryAfterMs, error: new Error(gone ? '410' : 'lost') },
});
const watching = [{ type: 'begin' }, page('10'), { type: 'opened' }] as const;

test('it lists page by page and watches from where the first page stood', () => {
  const first = play([{ type: 'begin' }]);
  assert.deepEqual(first.effect, { do: 'list', limit: 500 });
  assert.deepEqual(first.events, [{ type: 'begin' }]);
  const second = play([{ type: 'begin' }, page('10', 'more')]);
  assert.deepEqual(second.effect, { do: 'list', limit: 500, continue: 'more' });
  const last = play([{ type: 'begin' }, page('10', 'more'), page('11')]);
  assert.deepEqual(last.effect, { do: 'watch', resourceVersion: '10', timeoutSeconds: 290 });
  assert.deepEqual(
    last.events.map((event) => event.type),
    ['gather', 'swap'],
  );
});

test('the server is asked to end watches at different times', () => {
  const { effect } = play([{ type: 'begin' }, page('10')], at(0, 0.99));
  assert.deepEqual(effect, { do: 'watch', resourceVersion: '10', timeoutSeconds: 319 });
});

test('events move the place; bookmarks too, without an event', () => {
  const added = play([...watching, line('ADDED', configMap('two', '11'))]);
  assert.deepEqual(added.events, [{ type: 'put', object: configMap('two', '11') }]);
  const modified = play([...watching, line('MODIFIED', configMap('two', '12'))]);
  assert.equal(modified.events[0]?.type, 'put');
  const deleted = play([...watching, line('DELETED', configMap('two', '13'))]);
  assert.deepEqual(deleted.events, [{ type: 'remove', object: configMap('two', '13') }]);
  const bookmark = play([
    ...watching,
    line('BOOKMARK', { kind: 'ConfigMap', metadata: { resourceVersion: '99' } }),
  ]);
  assert.deepEqual(bookmark.events, []);
  assert.deepEqual(bookmark.effect, { do: 'read' });
  const resumed = play([{ type: 'closed' }], at(STABLE_MS), bookmark.state);
  assert.deepEqual(resumed.effect, { do: 'watch', resourceVersion: '99', timeoutSeconds: 290 });
});

test('a watch that ends after its time goes on at once; one that ends at once waits', () => {
  const early = play([...watching, { type: 'closed' }]);
  assert.deepEqual(early.effect, { do: 'wait', ms: 400 });
  const late = play([{ type: 'closed' }], at(STABLE_MS), play(watching).state);
  assert.equal(late.effect.do, 'watch');
});

test('410 lists anew, as status and in the stream; everything else keeps the place', () => {
  const afterWait = (input: WatchInput<KubeObject>): string =>
    play([{ type: 'waited' }], at(0), play([...watching, input]).state).effect.do;
  const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
  const unavailable = { kind: 'Status', code: 500, reason: 'InternalError', message: 'etcd' };
  assert.equal(afterWait(failure(true)), 'list');
  assert.equal(afterWait(line('ERROR', gone)), 'list');
  assert.equal(afterWait(failure(false)), 'watch');
  assert.equal(afterWait(line('ERROR', unavailable)), 'watch');
  assert.equal(afterWait({ type: 'line', line: '{"type":"ADDED","obj' }), 'watch');
});

test('a server that went back behind our place is listed anew; what is no number has no order', () => {
  const ahead = [{ type: 'begin' }, page('1000'), { type: 'opened' }] as const;
  const bookmark = (version: string): WatchInput<KubeObject> =>
    line('BOOKMARK', { kind: 'ConfigMap', metadata: { resourceVersion: version } });
  const after = (from: readonly WatchInput<KubeObject>[], input: WatchInput<KubeObject>): string => {
    const { state, events } = play([...from, input]);
    return state.phase === 'Waiting'
      ? `${events[0]?.type ?? ''} ${play([{ type: 'waited' }], at(0), state).effect.do}`
      : 'read';
  };
  assert.equal(after(ahead, bookmark('999')), 'trouble list');
  assert.equal(after(ahead, line('ADDED', configMap('two', '20'))), 'trouble list');
  assert.equal(after(ahead, bookmark('1000')), 'read');
  assert.equal(after([{ type: 'begin' }, page('b'), { type: 'opened' }], bookmark('a')), 'read');
});

test('after many failures in a row the place is given up', () => {
  let { state } = play([...watching, failure(false)]);
  for (let failures = 2; failures <= RELIST_FAILURES; failures += 1) {
    const again = play([{ type: 'waited' }], at(0), state);
    assert.equal(again.effect.do, 'watch', String(failures));
    state = play([failure(false)], at(0), again.state).state;
  }
  const relisted = play([{ type: 'waited' }], at(0), state);
  assert.equal(relisted.effect.do, 'list');
  assert.equal(play([page('3')], at(0), relisted.state).effect.do, 'watch');
});

test('a watch that goes on for an hour is compared with a list', () => {
  const closedAt = (nowMs: number, random: number): string =>
    play([{ type: 'closed' }], at(nowMs, random), play(watching).state).effect.do;
  assert.equal(closedAt(RELIST_MS - 1, 0), 'watch');
  assert.equal(closedAt(RELIST_MS, 0), 'list');
  assert.equal(closedAt(RELIST_MS, 0.5), 'watch', 'not all at once');
  const relisted = play([{ type: 'closed' }], at(RELIST_MS), play(watching).state);
  const renewed = play([page('20'), { type: 'opened' }], at(RELIST_MS), relisted.state);
  assert.equal(play([{ type: 'closed' }], at(RELIST_MS + STABLE_MS), renewed.state).effect.do, 'watch');
});

test('what is no event is a failure, never a crash', () => {
  const lines = [
    '',
    'null',
    '7',
    '[]',
    '{}',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":null}',
    '{"type":"ADDED","object":{}}',
    '{"type":"ADDED","object":{"metadata":null}}',
    '{"type":"ADDED","object":{"metadata":{"name":"a"}}}',
    '{"type":"SHRUG","object":{"metadata":{"resourceVersion":"3"}}}',
    '{"type":"ERROR","object":{}}',
  ];
  for (const text of lines) {
    const { events, effect } = play([...watching, { type: 'line', line: text }]);
    assert.equal(events[0]?.type, 'trouble', text);
    assert.equal(effect.do, 'wait', text);
  }
});

test('waits double up to half a minute, and begin anew only after a watch stayed up', () => {
  let { state } = play([...watching, failure(false)], at(0, 1 - 1e-9));
  const waits: number[] = [];
  for (let turn = 0; turn < 7; turn += 1) {
    const next = play([{ type: 'waited' }, { type: 'opened' }, failure(false)], at(0, 1 - 1e-9), state);
    waits.push(next.effect.do === 'wait' ? Math.round(next.effect.ms) : 0);
    state = next.state;
  }
  assert.deepEqual(waits, [1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  const open = play([{ type: 'waited' }, { type: 'opened' }], at(0), state);
  const stable = play([failure(false)], at(STABLE_MS), open.state);
  assert.deepEqual(stable.effect, { do: 'wait', ms: 400 });
});

test('Retry-After is obeyed where it is longer', () => {
  assert.deepEqual(play([...watching, failure(false, 7000)]).effect, { do: 'wait', ms: 7000 });
  assert.deepEqual(play([...watching, failure(false, 1)]).effect, { do: 'wait', ms: 400 });
});

test('a list that the server forgot between two pages is asked for whole', () => {
  const broken = play([{ type: 'begin' }, page('10', 'more'), failure(true)]);
  const again = play([{ type: 'waited' }], at(0), broken.state);
  assert.deepEqual(again.effect, { do: 'list', limit: 0 });
  assert.deepEqual(again.events, [{ type: 'begin' }]);
  const refusedAgain = play([failure(false), { type: 'waited' }], at(0), again.state);
  assert.deepEqual(refusedAgain.effect, { do: 'list', limit: 0 });
  const { effect } = play([page('12')], at(0), again.state);
  assert.equal(effect.do, 'watch');
});

test('a list that fails is tried again, and the store stays as it was', () => {
  const failed = play([{ type: 'begin' }, failure(false)]);
  assert.deepEqual(
    failed.events.map((event) => event.type),
    ['trouble'],
  );
  assert.deepEqual(play([{ type: 'waited' }], at(0), failed.state).effect, { do: 'list', limit: 500 });
});

test('an input that nothing asked for is a bug of the driver', () => {
  assert.throws(() => play([{ type: 'opened' }]), /Idle cannot take 'opened'/);
  assert.throws(() => play([...watching, { type: 'waited' }]), /cannot take 'waited'/);
});
