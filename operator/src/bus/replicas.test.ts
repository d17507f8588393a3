import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import { ROUTES_BUCKET, asyncStream, kvStream, workSubject } from '@sinter/contract';
import { connectAs } from './connect.ts';
import { signOperator, signSystem } from './credentials.ts';
import { hubManager, provisionAsync, provisionBuckets, provisionNamespace } from './provision.ts';
import { TestCluster } from './testCluster.ts';
import type { TestServer } from './testCluster.ts';

const workflow = { namespace: 'default', workflow: 'traffic' };
const stream = asyncStream(workflow, 'b');

/** A hub has no leader for a moment after a start, and a stream after a change. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  const limit = Date.now() + 60_000;
  for (;;) {
    try {
      return await work();
    } catch (cause) {
      if (Date.now() > limit) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

interface Jsz {
  readonly data?: {
    readonly account_details?: readonly {
      readonly stream_detail?: readonly {
        readonly name: string;
        readonly state: { readonly messages: number };
      }[];
    }[];
  };
}

describe('a hub of three servers, with TLS between them', () => {
  let cluster: TestCluster;
  let nc: NatsConnection;
  before(async () => {
    cluster = await TestCluster.start({ hubs: 3 });
    const urls = cluster.hubs.map((h) => h.url);
    nc = await connectAs(urls, signOperator(cluster.keys, { nowMs: Date.now() }), {
      tls: { ca: cluster.trust ?? '' },
      ignoreClusterUpdates: true,
    });
  });
  after(async () => {
    await nc.close();
    await cluster.stop();
  });

  const copies = async (name: string): Promise<number> => {
    const { cluster: of } = await (await hubManager(nc)).streams.info(name);
    const current = (of?.replicas ?? []).filter((r) => r.current).length;
    return of?.leader === undefined ? 0 : 1 + current;
  };
  const copied = (name: string, times: number) =>
    eventually(async () => {
      assert.equal(await copies(name), times);
    });

  /** What a server has of the stream itself: its leader counts a copy as current before that has everything. */
  const messagesAt = async (s: TestServer): Promise<number> => {
    const system = signSystem(cluster.keys, { nowMs: Date.now() });
    const there = await connectAs(s.url, system, { tls: { ca: cluster.trust ?? '' }, reconnect: false });
    try {
      const subject = `$SYS.REQ.SERVER.${there.info?.server_id ?? ''}.JSZ`;
      const answer = await there.request(subject, JSON.stringify({ streams: true }), { timeout: 5000 });
      const { data } = answer.json<Jsz>();
      const streams = (data?.account_details ?? []).flatMap((a) => a.stream_detail ?? []);
      return streams.find((one) => one.name === stream)?.state.messages ?? 0;
    } finally {
      await there.close();
    }
  };
  const everywhere = (messages: number) =>
    eventually(async () => {
      for (const s of cluster.hubs) assert.equal(await messagesAt(s), messages, s.name);
    });

  it('keeps streams once where that is wanted', async () => {
    await eventually(() => provisionBuckets(nc, 1));
    await eventually(() => provisionAsync(nc, workflow, [{ fn: 'b' }], 1));
    await copied(stream, 1);
    for (let i = 0; i < 50; i++)
      await eventually(() => nc.request(workSubject(workflow, 'b', 'a', `c${String(i)}`), 'work'));
  });

  it('copies what was kept once to all three, with what it holds', async () => {
    const changes = await eventually(() => provisionAsync(nc, workflow, [{ fn: 'b' }], 3));
    assert.deepEqual(changes, [{ kind: 'Updated', stream, fields: ['num_replicas'] }]);
    await eventually(() => provisionBuckets(nc, 3));
    await eventually(() => provisionNamespace(nc, 'default', 3));
    await copied(stream, 3);
    await copied(kvStream(ROUTES_BUCKET), 3);
    assert.deepEqual(await eventually(() => provisionAsync(nc, workflow, [{ fn: 'b' }], 3)), []);
  });

  it('loses nothing with one of its servers', async () => {
    await everywhere(50);
    const before = await (await hubManager(nc)).streams.info(stream);
    const leader = before.cluster?.leader ?? '';
    await cluster.kill(leader);
    const after = await eventually(async () => (await hubManager(nc)).streams.info(stream));
    assert.equal(after.state.messages, 50);
    await eventually(() => nc.request(workSubject(workflow, 'b', 'a', 'late'), 'work'));
    await cluster.restart(leader);
    await everywhere(51);
  });
});
