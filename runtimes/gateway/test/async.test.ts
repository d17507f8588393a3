/** Requests that are answered 202: durable, once a key, with a state to be asked for. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { asyncStream } from '@sinter/contract';
import { hubManager } from '../../../operator/src/bus/provision.ts';
import type { Gateway } from '../src/index.ts';
import { JSON_HEADERS, WITH_TOKEN, WORKFLOW, ask, entry, route, startRig, trigger, until } from './rig.ts';
import type { Answered, Rig } from './rig.ts';

const sha256 = (s: string): string => createHash('sha256').update(s).digest('hex');
const ASYNC = { ...JSON_HEADERS, prefer: 'respond-async' };

describe('a request becomes durable work', () => {
  let rig: Rig;
  let unit: Awaited<ReturnType<Rig['startUnit']>>;
  let gateway: Gateway;
  before(async () => {
    rig = await startRig();
    await rig.putRoute(route());
    await rig.putEntry(
      entry({
        triggers: [
          trigger({ name: 'later', path: '/later', to: 'later' }),
          trigger({
            name: 'quiet',
            path: '/quiet',
            to: 'quiet',
            auth: { type: 'Key', sha256: [sha256('a'), sha256('b')] },
          }),
        ],
      }),
    );
    unit = await rig.startUnit(['r1']);
    unit.pull();
    gateway = await rig.startGateway();
  });
  after(() => rig.stop());

  const accepted = (a: Answered): string => {
    assert.equal(a.status, 202, a.body.toString());
    const callId = String(a.json()['callId']);
    assert.match(callId, /^[a-z2-7]{20}$/);
    assert.equal(a.headers.location, `/call/default/traffic/calls/${callId}`);
    assert.equal(a.headers['preference-applied'], 'respond-async');
    return callId;
  };
  const stateOf = (callId: string, headers = {}): Promise<Answered> =>
    ask(gateway, `/call/default/traffic/calls/${callId}`, { method: 'GET', headers });
  const finished = (callId: string): Promise<Answered> =>
    until(`${callId} has ended`, async () => {
      const a = await stateOf(callId);
      return a.json()['state'] === 'Succeeded' && a;
    });
  const queued = async (): Promise<number> =>
    (await (await hubManager(rig.nc)).streams.info(asyncStream(WORKFLOW, 'quiet'))).state.messages;

  it('is accepted, runs, and its result is inline JSON', async () => {
    const callId = accepted(await ask(gateway, '/later', { headers: ASYNC, body: '{"a":[1]}' }));
    const a = await finished(callId);
    assert.equal(a.status, 200);
    assert.equal(a.headers['cache-control'], 'no-store');
    assert.deepEqual(a.json()['result'], { a: [1] });
    assert.equal(a.json()['function'], 'later');
    assert.equal(unit.seen.filter((s) => s.call.head.callId === callId).length, 1);
  });

  it('takes the header of its own as well, and text stays text', async () => {
    const headers = { 'x-sinter-async': 'true', 'content-type': 'text/plain' };
    const a = await finished(accepted(await ask(gateway, '/later', { headers, body: 'grüße' })));
    assert.equal(a.json()['result'], 'grüße');
    assert.equal(a.json()['contentType'], 'text/plain');
  });

  it('has a state from the moment of the 202', async () => {
    const headers = { ...ASYNC, 'x-api-key': 'a' };
    const callId = accepted(await ask(gateway, '/quiet', { headers }));
    const a = await stateOf(callId, { 'x-api-key': 'a' });
    assert.equal(a.status, 200);
    assert.equal(a.json()['state'], 'Accepted');
    assert.equal(a.json()['attempts'], 0);
  });

  it('never goes back to Accepted, however quickly it ran', async () => {
    const ids = await Promise.all(
      Array.from({ length: 100 }, async () => accepted(await ask(gateway, '/later', { headers: ASYNC }))),
    );
    await Promise.all(ids.map(finished));
    for (const id of ids) assert.equal((await stateOf(id)).json()['state'], 'Succeeded');
  });

  describe('an idempotency key', () => {
    const keyed = (key: string, who = 'a') =>
      ask(gateway, '/quiet', { headers: { ...ASYNC, 'x-api-key': who, 'idempotency-key': key } });

    it('gives the same call, stored once', async () => {
      const before = await queued();
      const first = await keyed('order-1');
      const second = await keyed('order-1');
      assert.equal(accepted(first), accepted(second));
      assert.equal(first.json()['duplicate'], undefined);
      assert.equal(second.json()['duplicate'], true);
      assert.equal(await queued(), before + 1);
    });

    it('gives the same call to requests at the same time', async () => {
      const before = await queued();
      const ids = (await Promise.all(Array.from({ length: 10 }, () => keyed('order-2')))).map(accepted);
      assert.equal(new Set(ids).size, 1);
      assert.equal(await queued(), before + 1);
    });

    it('counts within one client', async () => {
      assert.notEqual(accepted(await keyed('order-3', 'a')), accepted(await keyed('order-3', 'b')));
    });

    it('does not run again what has ended', async () => {
      const headers = { ...ASYNC, 'idempotency-key': 'once' };
      const callId = accepted(await ask(gateway, '/later', { headers }));
      await finished(callId);
      assert.equal(accepted(await ask(gateway, '/later', { headers })), callId);
      assert.equal((await stateOf(callId)).json()['state'], 'Succeeded');
      assert.equal(unit.seen.filter((s) => s.call.head.callId === callId).length, 1);
    });

    for (const [name, key] of Object.entries({ long: 'k'.repeat(257), empty: '', spaced: ' ', foreign: 'ü' }))
      it(`is refused when it is ${name}`, async () => {
        const a = await keyed(key);
        assert.equal(a.status, 400, a.body.toString());
        assert.equal(a.json()['code'], 'BadRequest');
      });
  });

  describe('a start deadline', () => {
    it('is accepted, and said not to be made use of yet', async () => {
      const a = await ask(gateway, '/later', {
        headers: { ...ASYNC, 'x-sinter-start-deadline-seconds': '60' },
      });
      accepted(a);
      assert.match(String(a.headers['sinter-notice']), /^NotYet: X-Sinter-Start-Deadline-Seconds/);
      assert.match(String(a.json()['notice']), /^NotYet/);
    });
    for (const value of ['0', '-1', 'soon', 'NaN', 'Infinity', ''])
      it(`is refused as '${value}'`, async () => {
        const headers = { ...ASYNC, 'x-sinter-start-deadline-seconds': value };
        const a = await ask(gateway, '/later', { headers });
        assert.equal(a.status, 400);
        assert.match(String(a.json()['detail']), /a positive number of seconds/);
      });
  });

  describe('a state is read by who may call the function', () => {
    let callId: string;
    before(async () => {
      callId = accepted(await ask(gateway, '/quiet', { headers: { ...ASYNC, 'x-api-key': 'a' } }));
    });
    const rows: Record<string, [object, string | undefined, number]> = {
      'with its key': [{ 'x-api-key': 'a' }, undefined, 200],
      "with the run's token": [WITH_TOKEN, undefined, 200],
      // An open trigger leads to another function: as little is said as of a call that never was.
      'without a key': [{}, undefined, 404],
      'with a wrong key': [{ 'x-api-key': 'x' }, undefined, 404],
      'with an id that never was': [{ 'x-api-key': 'a' }, 'aaaaaaaaaaaaaaaaaaaa', 404],
      'with an id that is a pattern': [WITH_TOKEN, '*', 404],
      'with an id of two tokens': [WITH_TOKEN, 'a.b', 404],
      'with an id that is too long': [WITH_TOKEN, 'a'.repeat(65), 404],
      'with no id': [WITH_TOKEN, '', 404],
    };
    for (const [name, [headers, id, status]] of Object.entries(rows))
      it(name, async () => {
        const a = await stateOf(id ?? callId, headers);
        assert.equal(a.status, status, a.body.toString());
        if (status === 404) assert.equal(a.json()['code'], 'NoSuchCall');
      });

    it('not at all where no entry is open to the asker', async () => {
      await rig.putRoute({ ...route(), workflow: 'locked' });
      const auth = { type: 'Key', sha256: [sha256('c')] } as const;
      await rig.putEntry({
        ...entry({ triggers: [trigger({ path: '/locked', auth })] }),
        workflow: 'locked',
      });
      const path = '/call/default/locked/calls/aaaaaaaaaaaaaaaaaaaa';
      await until('the entry is known', async () => (await ask(gateway, '/locked')).status === 401);
      assert.equal((await ask(gateway, path, { method: 'GET' })).status, 401);
      assert.equal((await ask(gateway, path, { method: 'GET', headers: { 'x-api-key': 'c' } })).status, 404);
      assert.equal((await ask(gateway, path, { method: 'DELETE', headers: WITH_TOKEN })).status, 405);
    });
  });
});
