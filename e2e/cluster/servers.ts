/**
 * The servers of the bus as a client meets them: every hub and leaf by itself, with a unit's own credential.
 *
 * Owns: reading that credential, and dialling. What an answer means, scenarios judge.
 */
import assert from 'node:assert/strict';
import { connectAs } from '../../operator/src/bus/connect.ts';
import { RELEASE, SINTER_NAMESPACE, list } from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { UNIT_LABEL } from './lab.ts';
import type { Lab, PodObject } from './lab.ts';

export interface SecretObject extends ClusterObject {
  readonly data: Readonly<Record<string, string>>;
}

export interface Credential {
  readonly jwt: string;
  readonly seed: string;
  /** Whom its holder trusts, PEM. */
  readonly ca: string;
}

/** The credential of the unit that runs a function, as its Secrets hold it; not of one that ends, whose Secrets may be gone. */
export async function credentialOf(lab: Lab, fn: string): Promise<Credential> {
  const pods = (await lab.living()).filter((p) => p.metadata.name.includes(`-${fn}-`));
  const units = new Set(pods.map((p) => p.metadata.labels?.[UNIT_LABEL] ?? ''));
  const secrets = await list<SecretObject>('secrets', lab.namespace);
  const found = [...units].map((unit) =>
    credentialIn(secrets.filter((s) => s.metadata.name.startsWith(unit))),
  );
  return (
    found.find((c) => c.jwt !== '' && c.seed !== '') ?? assert.fail(`no unit that runs ${fn} has Secrets`)
  );
}

function credentialIn(secrets: readonly SecretObject[]): Credential {
  const data = new Map(secrets.flatMap((s) => Object.entries(s.data)));
  const value = (key: string): string => Buffer.from(data.get(key) ?? '', 'base64').toString('utf8');
  return { jwt: value('jwt'), seed: value('seed'), ca: value('ca.crt') };
}

/** Pods of Sinter's own. */
export const sinterPods = (component: string): Promise<readonly PodObject[]> =>
  list<PodObject>('pods', SINTER_NAMESPACE, `app.kubernetes.io/component=${component}`);

/** Every server of the bus: its address, and the name in its certificate. */
async function servers(): Promise<readonly { readonly url: string; readonly servername: string }[]> {
  const named = (pods: readonly PodObject[], servername: string) =>
    pods.map((pod) => ({ url: `tls://${pod.status.podIP ?? ''}:4222`, servername }));
  return [
    ...named(await sinterPods('nats-hub'), `${RELEASE}-nats`),
    ...named(await sinterPods('nats-leaf'), `${RELEASE}-nats-leaf`),
  ];
}

/** What each server says to it: `taken`, or why not. */
export async function answersTo({ jwt, seed, ca }: Credential): Promise<readonly string[]> {
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
