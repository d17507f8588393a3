import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { bringUpToDate, Told } from '../bus/serverAccess.ts';
import type { NewCredential } from '../bus/credentials.ts';
import { BusServers } from './busServers.ts';
import type { BusServer, Wanted } from './busServers.ts';

const SYSTEM: NewCredential = { jwt: 'j', seed: 's', publicKey: 'U', expiresAtMs: 0 };
const server = (name: string, incarnation = '1', role: 'hub' | 'leaf' = 'leaf'): BusServer => ({
  name,
  role,
  incarnation,
  address: { host: name, port: 4222 },
});
const wanted = (token: string): Wanted => ({
  hub: { accounts: { A: `hub ${token}` } },
  leaf: { accounts: { A: `leaf ${token}` } },
});

/** Servers that answer as told, and a note of who was spoken to. */
function world(answers: Readonly<Record<string, Told | Error>> = {}) {
  const spoken: string[] = [];
  const tell: typeof bringUpToDate = (address, state) => {
    spoken.push(`${address.host} ${Object.values(state.accounts).join()}`);
    const answer = answers[address.host] ?? { kind: 'Current', changed: [] };
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const servers = new BusServers(tell);
  return {
    round: async (list: readonly BusServer[], token: string, nowMs: number) => {
      spoken.length = 0;
      const report = await servers.round(list, wanted(token), () => SYSTEM, nowMs);
      return { report, spoken: [...spoken].sort() };
    },
  };
}

const both = [server('h', '1', 'hub'), server('m1')];

describe('servers of the bus', () => {
  it('are told at the start, each in its role, and then left alone', async () => {
    const w = world();
    assert.deepEqual((await w.round(both, 'a', 0)).spoken, ['h hub a', 'm1 leaf a']);
    const again = await w.round(both, 'a', 1000);
    assert.deepEqual(again.spoken, []);
    assert.deepEqual(again.report, { behind: [], changed: [] });
  });

  it('are told again when they were restarted, or are new', async () => {
    const w = world();
    await w.round(both, 'a', 0);
    const { spoken } = await w.round([server('h', '2', 'hub'), server('m1'), server('m2')], 'a', 1);
    assert.deepEqual(spoken, ['h hub a', 'm2 leaf a']);
  });

  it('that went and came back under the same name are told again', async () => {
    const w = world();
    await w.round(both, 'a', 0);
    await w.round([server('h', '1', 'hub')], 'a', 1);
    assert.deepEqual((await w.round(both, 'a', 2)).spoken, ['m1 leaf a']);
  });

  it('are told of changes together: after five seconds, and not more often than twice a minute', async () => {
    const w = world();
    await w.round(both, 'a', 0);
    assert.deepEqual((await w.round(both, 'b', 100_000)).report.againAfterMs, 5000);
    assert.deepEqual((await w.round(both, 'c', 103_000)).report.againAfterMs, 2000);
    assert.deepEqual((await w.round(both, 'c', 105_000)).spoken, ['h hub c', 'm1 leaf c']);
    const next = await w.round(both, 'd', 106_000);
    assert.deepEqual(next.spoken, []);
    assert.equal(next.report.againAfterMs, 29_000);
    assert.deepEqual((await w.round(both, 'd', 135_000)).spoken, ['h hub d', 'm1 leaf d']);
  });

  it('that start while changes are gathered go by what the others go by', async () => {
    const w = world();
    await w.round(both, 'a', 0);
    const { spoken } = await w.round([...both, server('m2')], 'b', 100_000);
    assert.deepEqual(spoken, ['m2 leaf a']);
  });

  it('need nothing when a change is taken back before anybody was told', async () => {
    const w = world();
    await w.round(both, 'a', 0);
    await w.round(both, 'b', 100_000);
    assert.deepEqual((await w.round(both, 'a', 101_000)).report, { behind: [], changed: [] });
    assert.equal((await w.round(both, 'b', 200_000)).report.againAfterMs, 5000);
  });

  it('that cannot be reached are named, with since when, and tried again every five seconds', async () => {
    const w = world({ m1: new Error('connection refused') });
    await w.round(both, 'a', 7);
    assert.deepEqual((await w.round(both, 'a', 4000)).spoken, []);
    const { report, spoken } = await w.round(both, 'a', 5007);
    assert.deepEqual(spoken, ['m1 leaf a']);
    assert.deepEqual(report.behind, [
      { name: 'm1', why: 'it cannot be reached: Error: connection refused', sinceMs: 7, againAtMs: 10_007 },
    ]);
    assert.equal(report.againAfterMs, 5000);
    assert.deepEqual((await w.round([server('h', '1', 'hub')], 'a', 9000)).report, {
      behind: [],
      changed: [],
    });
  });

  it('that wait for their files are looked at again every fifteen seconds', async () => {
    const w = world({ m1: { kind: 'Waiting', why: 'not yet' } });
    assert.equal((await w.round(both, 'a', 0)).report.againAfterMs, 15_000);
    assert.deepEqual((await w.round(both, 'a', 14_000)).spoken, []);
    assert.deepEqual((await w.round(both, 'a', 15_000)).spoken, ['m1 leaf a']);
  });

  it('that were changed are told of', async () => {
    const w = world({ m1: { kind: 'Current', changed: ['certificate'] } });
    assert.deepEqual((await w.round(both, 'a', 0)).report.changed, ['m1: certificate']);
  });
});
