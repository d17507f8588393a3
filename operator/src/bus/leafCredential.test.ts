import assert from 'node:assert/strict';
import { it } from 'node:test';
import { liveSubject } from '@sinter/contract';
import { connectAs } from './connect.ts';
import { renewLeaf, signGateway, signOperator } from './credentials.ts';
import { listenToInstances } from './listen.ts';
import { TestCluster } from './testCluster.ts';
import { announcement } from './testObservation.ts';

const LIFETIME_MS = 4000;

it('a leaf whose credential has ended connects again with the one that its file holds by then', async () => {
  const cluster = await TestCluster.start({ leaves: ['m1'], leafLifetimeMs: LIFETIME_MS });
  const tls = { tls: { ca: cluster.trust ?? '' } };
  const now = { nowMs: Date.now() };
  const hub = await connectAs(cluster.server('hub-0').url, signOperator(cluster.keys, now), tls);
  const leaf = await connectAs(cluster.server('m1').url, signGateway(cluster.keys, now), tls);
  try {
    let heard = 0;
    listenToInstances(hub, { onAnnouncement: () => (heard += 1), onObservation: () => undefined });
    const key = { namespace: 'default', workflow: 'traffic', unit: '_gateway', instance: 'g1' };
    const isHeard = async (): Promise<void> => {
      const before = heard;
      const limit = Date.now() + 30_000;
      while (heard === before) {
        if (Date.now() > limit) throw new Error(`not heard within 30 s: ${await cluster.log('m1')}`);
        leaf.publish(liveSubject(key), JSON.stringify(announcement(key)));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await isHeard();
    const { publicKey, seed } = cluster.leafCredential;
    const renewed = renewLeaf(cluster.keys, 'all', publicKey, { nowMs: Date.now() });
    await cluster.writeLeafCredential({ ...renewed, seed });
    const limit = Date.now() + 30_000;
    while (!(await cluster.log('m1')).includes('User Authentication Expired')) {
      assert.ok(Date.now() < limit, 'the link ends with the credential');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await isHeard();
  } finally {
    await Promise.all([hub.close(), leaf.close()]);
    await cluster.stop();
  }
});
