/** The graph is the firewall (D11): what a removed edge had granted is refused by the servers themselves, hub and leaves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectAs } from '../../operator/src/bus/connect.ts';
import { tokenFacts } from '../../operator/src/bus/tokens.ts';
import type { AppOptions } from '../application.ts';
import { RELEASE, SINTER_NAMESPACE, WITHOUT_SINTER, WITHOUT_TESTBED, eventually, list } from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { UNIT_LABEL, withLab } from './lab.ts';
import type { Lab, PodObject } from './lab.ts';

const AMD64 = { placement: { architectures: ['amd64'] } };
const PATIENCE_MS = 240_000;

interface SecretObject extends ClusterObject {
  readonly data: Readonly<Record<string, string>>;
}

interface Credential {
  readonly jwt: string;
  readonly seed: string;
  readonly ca: string;
}

const functions = {
  root: { code: async (input, ctx) => ctx.call('callee', input), spec: AMD64 },
  callee: { code: () => 'reached', spec: AMD64 },
} satisfies AppOptions['functions'];

/** The credential of the unit that runs a function, as its Secrets hold it. */
async function credentialOf(lab: Lab, fn: string): Promise<Credential> {
  const pod = (await lab.living()).find((p) => p.metadata.name.includes(`-${fn}-`));
  const unit = pod?.metadata.labels?.[UNIT_LABEL] ?? assert.fail(`no unit runs ${fn}`);
  const secrets = await list<SecretObject>('secrets', lab.namespace);
  const data = new Map(
    secrets.filter((s) => s.metadata.name.startsWith(unit)).flatMap((s) => Object.entries(s.data)),
  );
  const value = (key: string): string => Buffer.from(data.get(key) ?? '', 'base64').toString('utf8');
  return { jwt: value('jwt'), seed: value('seed'), ca: value('ca.crt') };
}

/** Every server of the bus: its address, and the name in its certificate. */
async function servers(): Promise<readonly { readonly url: string; readonly servername: string }[]> {
  const of = (component: string): Promise<readonly PodObject[]> =>
    list<PodObject>('pods', SINTER_NAMESPACE, `app.kubernetes.io/component=${component}`);
  const named = (pods: readonly PodObject[], servername: string) =>
    pods.map((pod) => ({ url: `tls://${pod.status.podIP ?? ''}:4222`, servername }));
  return [
    ...named(await of('nats-hub'), `${RELEASE}-nats`),
    ...named(await of('nats-leaf'), `${RELEASE}-nats-leaf`),
  ];
}

/** What each server says to it: `taken`, or why not. */
async function answersTo({ jwt, seed, ca }: Credential): Promise<readonly string[]> {
  return await Promise.all(
    (await servers()).map(async ({ url, servername }) => {
      const tls = { ca, servername };
      try {
        await (await connectAs(url, { jwt, seed }, { reconnect: false, timeout: 20_000, tls })).close();
        return 'taken';
      } catch (cause) {
        return cause instanceof Error ? cause.name : String(cause);
      }
    }),
  );
}

describe('the bus of a cluster', { skip: WITHOUT_SINTER || WITHOUT_TESTBED }, () => {
  it('refuses, at hub and leaves, the credential of a unit that is gone with an edge', () =>
    withLab('bus', async (lab) => {
      await lab.deploy({ functions, edges: ['root>callee'] });
      const old = await credentialOf(lab, 'root');
      assert.deepEqual([...new Set(await answersTo(old))], ['taken']);
      await lab.change({ functions, edges: [] });
      await eventually(
        'every server refuses it',
        async () => (await answersTo(old)).every((answer) => answer === 'AuthorizationError'),
        PATIENCE_MS,
        () => answersTo(old),
      );
      assert.ok((tokenFacts(old.jwt)?.expiresAtMs ?? 0) > Date.now(), 'it has not merely expired');
      assert.deepEqual([...new Set(await answersTo(await credentialOf(lab, 'root')))], ['taken']);
    }));
});
