/**
 * Credentials and certificates end and are renewed, hosts and leaves are killed: no call fails (D2, D11).
 *
 * The release itself gets credentials that live for a minute, for the time of these scenarios.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newAuthority } from '../../operator/src/bus/certificates.ts';
import { tokenFacts } from '../../operator/src/bus/tokens.ts';
import type { AppOptions } from '../application.ts';
import { quantile } from '../load.ts';
import type { Answer, Load } from '../load.ts';
import { inNetworkOf, killContainer } from '../testbed/cluster.ts';
import {
  CHART,
  RELEASE,
  SINTER_NAMESPACE,
  WITHOUT_SINTER,
  WITHOUT_TESTBED,
  eventually,
  get,
  helm,
  kubectl,
  list,
  rolledOut,
} from './harness.ts';
import type { ClusterObject } from './harness.ts';
import { UNIT_LABEL, isReady, restarts, withLab } from './lab.ts';
import type { Lab, PodObject } from './lab.ts';
import { answersTo, credentialOf, sinterPods } from './servers.ts';
import type { SecretObject } from './servers.ts';

const LIFE_SECONDS = 60;
const LOAD_SECONDS = 150;
const PER_SECOND = 50;
/** Until a renewed Secret is seen on every machine: the kubelets look once a minute or so. */
const SPREAD_MS = 170_000;
const MACHINE = 'n2';
const EXPIRES = 'sinter.dev/credential-expires';

const spec = { placement: { tiers: ['Edge'], architectures: ['amd64'] }, scaling: { minInstances: 2 } };
const application = {
  functions: {
    root: { code: async (input, ctx) => ctx.call('callee', input), spec },
    callee: { code: (input) => input, spec },
  },
  edges: ['root>callee'],
} satisfies AppOptions;

/** `null` is the chart's own. */
async function setLife(seconds: number | null): Promise<void> {
  const args = ['upgrade', RELEASE, CHART, '--namespace', SINTER_NAMESPACE, '--reset-then-reuse-values'];
  await helm([...args, '--set', `operator.credentialLifetimeSeconds=${String(seconds)}`, '--wait']);
  await rolledOut(`deployment/${RELEASE}-operator`, SINTER_NAMESPACE);
}

const secret = async (name: string): Promise<Readonly<Record<string, string>>> => {
  const { data = {} } = (await get<SecretObject>('secret', name, SINTER_NAMESPACE)) ?? {};
  const entries = Object.entries(data).map(([key, v]) => [key, Buffer.from(v, 'base64').toString()] as const);
  return Object.fromEntries(entries);
};

const endOf = (jwt = ''): number => tokenFacts(jwt)?.expiresAtMs ?? Infinity;

/** As the operator does when the authority is near its end. Gives the old one's certificate and the new one's. */
async function followAuthority(): Promise<{ readonly old: string; readonly next: string }> {
  const name = `${RELEASE}-bus-ca`;
  const stored = await secret(name);
  const [certificate = '', key = ''] = [stored['tls.crt'], stored['tls.key']];
  const [crossed = '', previous = ''] = [stored['crossed.crt'], stored['previous.crt']];
  const made = await newAuthority(Date.now(), { certificate, key, crossed, previous });
  const stringData = {
    'tls.crt': made.certificate,
    'tls.key': made.key,
    'crossed.crt': made.crossed,
    'previous.crt': made.previous,
  };
  const patch = JSON.stringify({ stringData });
  await kubectl(['patch', 'secret', name, '-n', SINTER_NAMESPACE, '--type=merge', '-p', patch]);
  return { old: certificate, next: made.certificate };
}

const cameBack = (pod: PodObject, namespace: string): Promise<true> =>
  eventually(`${pod.metadata.name} is back`, async () => {
    const now = await get<PodObject>('pod', pod.metadata.name, namespace);
    return now && restarts(now) > restarts(pod) && isReady(now) ? true : undefined;
  });

/** When the credentials of a lab's units end, each as it was noted while this runs. */
async function noted(lab: Lab, into: Set<string>): Promise<void> {
  for (const { metadata } of await list<ClusterObject>('deployments', lab.namespace, UNIT_LABEL))
    into.add(metadata.annotations?.[EXPIRES] ?? '');
}

const passed = (load: Load, seconds: number): Promise<true> =>
  eventually(
    `${String(seconds)} s of load`,
    () => load.started >= seconds * PER_SECOND || undefined,
    (seconds + 60) * 1000,
  );

const figures = (answers: readonly Answer[]): string =>
  `${String(answers.length)} calls, p50 ${quantile(
    answers.map((a) => a.ms),
    0.5,
  ).toFixed(1)} ms, longest ${Math.max(...answers.map((a) => a.ms)).toFixed(0)} ms`;

describe('credentials', { skip: WITHOUT_SINTER || WITHOUT_TESTBED }, () => {
  before(async () => {
    await setLife(LIFE_SECONDS);
    await eventually('the gateway has a credential of a minute', async () => {
      const { jwt } = await secret(`${RELEASE}-gateway`);
      return endOf(jwt) < Date.now() + LIFE_SECONDS * 1000;
    });
  });
  after(() => setLife(null));

  it('of a minute, and certificates, are renewed under load; a host that is killed has what was renewed', (t) =>
    withLab('brief', async (lab) => {
      await lab.deploy(application);
      const first = await credentialOf(lab, 'callee');
      assert.ok(endOf(first.jwt) < Date.now() + LIFE_SECONDS * 1000);
      const gateways = await sinterPods('gateway');
      const victim = (await lab.living()).find((p) => p.metadata.name.includes('-callee-'));
      assert.ok(victim);
      const ends = new Set<string>();
      const answers = await lab.underLoad(async (load) => {
        const { old, next } = await followAuthority();
        const servers = await eventually(
          'every server shows a certificate of the new authority',
          async () => {
            await noted(lab, ends);
            const shown = await answersTo({ ...(await credentialOf(lab, 'callee')), ca: next });
            return shown.every((answer) => answer === 'taken') && shown;
          },
          SPREAD_MS,
        );
        t.diagnostic(
          `${String(servers.length)} servers renewed after ${String(load.started / PER_SECOND)} s`,
        );
        const renewed = await credentialOf(lab, 'callee');
        assert.deepEqual([...new Set(await answersTo({ ...renewed, ca: old }))], ['taken'], 'crossed');
        assert.ok(renewed.ca.includes(next.trim()), 'units that start now trust the new authority');
        assert.equal(renewed.seed, first.seed);
        assert.ok(endOf(first.jwt) < Date.now(), 'what the host began with has ended');
        await killContainer({ namespace: lab.namespace, pod: victim.metadata.name });
        await cameBack(victim, lab.namespace);
        await passed(load, LOAD_SECONDS);
        await noted(lab, ends);
      });
      t.diagnostic(`${figures(answers)}; ${String(ends.size)} ends of credentials seen`);
      assert.ok(ends.size >= 4, [...ends].join());
      const others = (await lab.living()).filter((p) => p.metadata.name !== victim.metadata.name);
      assert.deepEqual([...new Set(others.map(restarts))], [0], 'nobody else was started again');
      assert.deepEqual((await sinterPods('gateway')).map(restarts), gateways.map(restarts));
    }));

  it('a leaf that is killed under load fails no call: hosts go to the hub, and come back to it', (t) =>
    withLab('leaf', async (lab) => {
      await lab.deploy(application);
      const leaf = (await sinterPods('nats-leaf')).find((p) => p.spec.nodeName === MACHINE);
      assert.ok(leaf);
      const instances = (await lab.living()).map((p) => p.metadata.name);
      const atLeaf = async (): Promise<boolean> => {
        const url = `http://${leaf.status.podIP ?? ''}:8222/connz`;
        const said = await inNetworkOf(MACHINE, ['curl', '-sS', '-m', '10', url]).catch(() => '');
        return instances.every((instance) => said.includes(instance));
      };
      await eventually('they are at the leaf', atLeaf);
      const answers = await lab.underLoad(async () => {
        await killContainer({ namespace: SINTER_NAMESPACE, pod: leaf.metadata.name });
        await cameBack(leaf, SINTER_NAMESPACE);
        await eventually('they are back at the leaf', atLeaf);
      });
      t.diagnostic(figures(answers));
      assert.deepEqual([...new Set((await lab.living()).map(restarts))], [0]);
    }));
});
