/**
 * The keys of the bus are lost: what docs/guides/install.md says of it happens, and all comes back by itself but the restart of
 * the servers. It voids every credential of the release, so no other scenario may run beside it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppOptions } from '../application.ts';
import {
  RELEASE,
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  eventually,
  kubectl,
  list,
  rolledOut,
} from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { UNIT_LABEL, withLab } from './lab.ts';
import type { Lab } from './lab.ts';
import { answersTo, credentialOf } from './servers.ts';

const application = {
  functions: {
    root: { code: async (input, ctx) => ctx.call('callee', input) },
    callee: { code: (input) => input },
  },
  edges: ['root>callee'],
} satisfies AppOptions;

const KEYS = `${RELEASE}-bus-keys`;
const SERVERS = [`statefulset/${RELEASE}-nats-hub`, `daemonset/${RELEASE}-nats-leaf`];
const ORIGIN = 'sinter.dev/credential-origin';
/** Servers start one after another, then each instance is replaced by one that is let in. */
const RECOVERY_MS = 300_000;

/** Of each unit: the key and the issuer that its Deployment notes. */
const origins = async (lab: Lab): Promise<readonly string[]> => {
  const found = await list<ClusterObject>('deployments', lab.namespace, UNIT_LABEL);
  return found.map(({ metadata }) => metadata.annotations?.[ORIGIN] ?? '').sort();
};

describe('the keys of the bus', { skip: WITHOUT_SINTER || WITHOUT_TESTBED }, () => {
  it('are lost: new ones are made, and reach everybody once the servers were restarted', (t) =>
    withLab('lost', async (lab) => {
      await lab.deploy(application);
      assert.equal((await lab.call(1)).status, 200);
      const before = { origins: await origins(lab), credential: await credentialOf(lab, 'callee') };
      const pods = (await lab.living()).map((p) => p.metadata.uid);
      assert.ok(before.origins.every((origin) => origin !== ''));

      await kubectl(['delete', 'secret', KEYS, '--namespace', SINTER_NAMESPACE]);
      await eventually('there are new keys', async () =>
        (await list('secrets', SINTER_NAMESPACE)).some(isKeys),
      );
      assert.equal((await lab.call(2)).status, 200, 'servers go on with the old keys');
      const startedAt = performance.now();
      await kubectl(['rollout', 'restart', ...SERVERS, '--namespace', SINTER_NAMESPACE]);
      for (const server of SERVERS) await rolledOut(server, SINTER_NAMESPACE, RECOVERY_MS);
      await eventually('calls succeed again', async () => (await lab.call(3)).status === 200, RECOVERY_MS);
      t.diagnostic(
        `calls succeed ${((performance.now() - startedAt) / 1000).toFixed(0)} s after the restart`,
      );

      await lab.ready(RECOVERY_MS);
      const now = await origins(lab);
      assert.ok(
        now.every((origin) => origin !== '' && !before.origins.includes(origin)),
        now.join(),
      );
      assert.deepEqual([...new Set(await answersTo(await credentialOf(lab, 'callee')))], ['taken']);
      assert.ok(!(await answersTo(before.credential)).includes('taken'), 'what was issued before is void');
      const replaced = async () => (await lab.living()).every((p) => !pods.includes(p.metadata.uid));
      await eventually('every instance was replaced', replaced, RECOVERY_MS);
    }));
});

const isKeys = ({ metadata }: ClusterObject): boolean => metadata.name === KEYS;
