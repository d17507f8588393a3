import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import { liveSubject, seenSubject } from '@sinter/contract';
import type { Announcement, Observation, UnitScope } from '@sinter/contract';
import { withBus } from '../local/nats/testBus.ts';
import { listenToInstances } from './listen.ts';
import { putModule } from './modules.ts';
import { provisionNamespace } from './provision.ts';

const unit: UnitScope = {
  ...{ namespace: 'default', workflow: 'traffic', unit: 'u1' },
  ...{ functions: ['a'], edges: [], asyncFunctions: [] },
};
const me = { namespace: 'default', workflow: 'traffic', unit: 'u1', instance: 'i1' };
const live: Announcement = {
  ...me,
  ...{ version: 1, state: 'Serving', machine: 'm1', architecture: 'amd64', revisions: ['abc'] },
};
const histogram = { counts: [1, 2], sumMs: 3.5 };
const seen: Observation = {
  ...me,
  ...{
    version: 1,
    machine: 'm1',
    architecture: 'amd64',
    windowMs: 1000,
    routeGeneration: 1,
    roots: { abc: 1 },
  },
  functions: [
    {
      function: 'a',
      revision: 'abc',
      artifact: 'js',
      executions: 3,
      failures: 0,
      runMs: histogram,
      repeated: 0,
    },
  ],
  edges: [
    { from: 'a', to: 'b', revision: 'abc', channel: 'Node', calls: 3, failures: 0, roundTripMs: histogram },
  ],
  memoryBytes: 1,
};

describe('what instances say', () => {
  it('is heard through a leaf, and what is malformed or of another is counted', () =>
    withBus(
      async (bus) => {
        const heard: (Announcement | Observation)[] = [];
        const operator = await bus.connectOperator();
        const listening = listenToInstances(operator, {
          onAnnouncement: (a) => heard.push(a),
          onObservation: (o) => heard.push(o),
        });
        await operator.flush();
        const nc = await bus.connectUnit(unit, { at: 'm1' });
        const bad = [
          'no json',
          JSON.stringify({ ...live, unit: 'u2' }),
          JSON.stringify({ ...live, state: 'Sleeping' }),
          JSON.stringify({ ...live, problem: 'x'.repeat(10_000) }),
          JSON.stringify({ ...live, revisions: Array.from({ length: 100 }, () => 'r') }),
          'x'.repeat(300_000),
        ];
        for (const text of bad) nc.publish(liveSubject(me), text);
        nc.publish(liveSubject(me), JSON.stringify(live));
        nc.publish(liveSubject(me), JSON.stringify({ ...live, state: 'Failed', problem: 'no such export' }));
        nc.publish(seenSubject(me), JSON.stringify({ ...seen, roots: { abc: -1 } }));
        nc.publish(seenSubject(me), JSON.stringify(seen));
        await waitFor(() => heard.length >= 3);
        await forge(operator, nc);
        nc.publish(liveSubject(me), JSON.stringify({ ...live, state: 'Draining' }));
        await waitFor(() => heard.length >= 4);
        assert.deepEqual(heard, [
          live,
          { ...live, state: 'Failed', problem: 'no such export' },
          seen,
          { ...live, state: 'Draining' },
        ]);
        assert.ok(listening.malformed() >= bad.length + 1);
        listening.stop();
      },
      { machines: ['m1'] },
    ));
});

/** A unit's own code is an announcement of somebody else, and the server is asked to send it there. */
async function forge(operator: NatsConnection, nc: NatsConnection): Promise<void> {
  const victim = { ...me, unit: 'u2' };
  await provisionNamespace(operator, 'default');
  await putModule(operator, 'default', Buffer.from(JSON.stringify({ ...live, ...victim, state: 'Failed' })));
  const read = '$JS.hub.API.DIRECT.GET.OBJ_sinter-modules-default';
  nc.publish(read, '{"seq":1}', { reply: liveSubject(victim) });
  await nc.flush();
}

async function waitFor(isSo: () => boolean): Promise<void> {
  const until = Date.now() + 5000;
  while (!isSo() && Date.now() < until) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(isSo());
}
