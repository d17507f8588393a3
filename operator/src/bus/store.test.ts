/** Who leads no longer asks the bus nothing more: a process that was frozen goes on before its timers tell it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BusAway } from './cluster.ts';
import { storeOver } from './store.ts';

it('nothing is written on the bus without the lease, also by who had it', async () => {
  let leads = true;
  let asked = 0;
  const link = { ask: <T>(): Promise<T> => Promise.resolve(void (asked += 1) as T) };
  const store = storeOver(link, 1, () => leads);
  const w = { namespace: 'n', workflow: 'w' };
  await store.discardAsync(w);
  assert.equal(asked, 1);
  leads = false;
  const refused = [
    () => store.discardAsync(w),
    () => store.discardNamespace('n'),
    () => store.provideAsync(w, []),
    () => store.putModule('n', new Uint8Array()),
    () => store.routes.remove(w, 1),
  ];
  for (const ask of refused) await assert.rejects(ask, BusAway);
  assert.equal(asked, 1);
});
