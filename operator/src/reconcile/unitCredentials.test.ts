/**
 * What becomes of units' credentials when the keys of the bus, or its authorities, are others than when they were made. A fake
 * of the wire takes the writes; keys, tokens and certificates are real.
 */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { newAuthority, trustOf } from '../bus/certificates.ts';
import type { Authority } from '../bus/certificates.ts';
import { createKeys } from '../bus/keys.ts';
import { OperatorLink } from '../bus/link.ts';
import { units as scopes } from '../bus/testAttack.ts';
import { tokenFacts } from '../bus/tokens.ts';
import { unitCredentials } from '../bus/units.ts';
import type { Issuing } from '../bus/units.ts';
import { kubeClient } from '../kube/client.ts';
import type { Deployment } from '../kube/objects.ts';
import { scriptedServer, status } from '../kube/testServer.ts';
import type { Asked, ScriptedServer } from '../kube/testServer.ts';
import { storeOf } from '../kube/testStore.ts';
import { ownerReferences, unitLabels } from '../resources/labels.ts';
import { NO_FAULTS } from './faults.ts';
import { watches, workflowKeyOf } from './stores.ts';
import { Units } from './units.ts';

const scope = scopes.u1;
const owner = { namespace: scope.namespace, name: scope.workflow, uid: 'w' };
const signal = new AbortController().signal;
const YEAR_MS = 365 * 24 * 3600 * 1000;

interface Bus {
  readonly issuing: Issuing;
  readonly ca: string;
}

const newIssuing = (): Issuing => ({ kind: 'Signs', signers: createKeys() });

/** By the bus as it is when it is asked. */
const credentialsOf = (bus: Bus) =>
  unitCredentials({
    issuing: () => bus.issuing,
    ca: () => bus.ca,
    revoke: () => assert.fail('nothing is revoked'),
    // Never connected: what is delivered finds nobody.
    link: new OperatorLink({
      listener: { onAnnouncement: () => undefined, onObservation: () => undefined },
      onState: () => undefined,
      onProblem: () => undefined,
    }),
    lifetimeMs: YEAR_MS,
    now: Date.now,
  });

interface Annotated {
  readonly metadata: { readonly annotations: Readonly<Record<string, string | null>> };
  readonly spec?: { readonly template: Annotated };
}

const deploymentOf = (
  unit: string,
  note: Readonly<Record<string, string>>,
  name: string = unit,
): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name,
    namespace: scope.namespace,
    labels: unitLabels(scope.workflow, unit),
    ownerReferences: ownerReferences(owner),
    annotations: note,
  },
});

/** The units of a cluster that has these Deployments, written to this server. */
function unitsOver(server: ScriptedServer, found: readonly Deployment[], today: Bus, revoked: string[] = []) {
  const client = kubeClient({ connection: server.connection, userAgent: 'test' });
  const { stores } = watches({ client, namespace: 'sinter-system', namespaces: [] });
  const deployments = storeOf<Deployment>(found, { workflow: workflowKeyOf });
  const units = new Units({
    client,
    stores: { ...stores, deployments },
    credentials: {
      ...credentialsOf(today),
      revoke: (keys) => Promise.resolve(revoked.push(...keys) > 0 ? 'Revoked' : 'NotPossible'),
    },
    reports: { announcement: () => undefined },
    settings: () => assert.fail('no pod is made'),
    fault: NO_FAULTS,
  });
  return { client, units };
}

/** The annotations of a unit whose credential was made by this bus. */
function noteBy(made: Bus): Readonly<Record<string, string>> {
  const credentials = credentialsOf(made);
  const { publicKey, expiresAtMs = 0 } = credentials.issue(scope);
  const origin = credentials.origin() ?? '';
  return {
    'sinter.dev/credential-key': publicKey,
    'sinter.dev/credential-expires': new Date(expiresAtMs).toISOString(),
    'sinter.dev/credential-origin': origin,
    'sinter.dev/instances-origin': origin,
  };
}

/** A unit as one bus left it, looked at twice with another one. Gives what was written. */
async function renewedUnder(
  made: Bus,
  today: Bus,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly asked: readonly Asked[]; readonly key: string; readonly again: readonly Asked[] }> {
  await using server = await scriptedServer((request) => {
    request.reply(request.method === 'POST' ? 201 : 200, request.body);
  });
  const note = { ...noteBy(made), ...more };
  const { client, units } = unitsOver(server, [deploymentOf(scope.unit, note)], today);
  const renew = () =>
    units.renew(scope, owner, signal).catch((cause: unknown) => assert.match(String(cause), /BusAway/));
  await renew();
  const asked = [...server.asked];
  await renew();
  client.close();
  const key = note['sinter.dev/credential-key'] ?? '';
  return { asked, key, again: server.asked.slice(asked.length) };
}

const secretsIn = (asked: readonly Asked[]) =>
  asked
    .filter((one) => one.path.endsWith('/secrets'))
    .map(
      (one) =>
        one.body as { readonly metadata: { readonly name: string }; readonly data: Record<string, string> },
    );

const patchIn = (asked: readonly Asked[]): Annotated => {
  assert.match(patchPath(asked), /deployments/);
  return asked.find((one) => one.method === 'PATCH')?.body as Annotated;
};

function patchPath(asked: readonly Asked[]): string {
  const [patch, ...others] = asked.filter((one) => one.method === 'PATCH');
  assert.deepEqual(others, []);
  return patch?.path ?? '';
}

const decoded = (value: string | undefined): string => Buffer.from(value ?? '', 'base64').toString();

describe("a unit's credential", () => {
  const issuing = newIssuing();
  const nowMs = Date.now();
  let first: Authority;
  let made: Bus;
  before(async () => {
    first = await newAuthority(nowMs - 8 * YEAR_MS);
    made = { issuing, ca: trustOf(first, nowMs) };
  });

  it('is left as it is under the same keys and authorities', async () => {
    const { asked, again } = await renewedUnder(made, made);
    assert.deepEqual([...asked, ...again], []);
  });

  it('is another one, with another key, where the keys of the bus are new, and its instances are replaced', async () => {
    const today = { ...made, issuing: newIssuing() };
    const { asked, key } = await renewedUnder(made, today);
    const written = secretsIn(asked);
    assert.deepEqual(written.map((s) => s.metadata.name).sort(), [scope.unit, `${scope.unit}-seed`]);
    const token = decoded(written.find((s) => s.metadata.name === scope.unit)?.data['jwt']);
    const { metadata, spec } = patchIn(asked);
    const origin = credentialsOf(today).origin();
    assert.notEqual(tokenFacts(token)?.publicKey, key);
    assert.equal(metadata.annotations['sinter.dev/credential-key'], tokenFacts(token)?.publicKey);
    assert.equal(metadata.annotations['sinter.dev/credential-origin'], origin);
    assert.equal(spec?.template.metadata.annotations['sinter.dev/instances-origin'], origin);
    assert.equal(asked.at(-1)?.method, 'PATCH', 'instances start after the Secrets are there');
  });

  it('is not replaced twice by an operator whose copy of the Deployment is older than its write', async () => {
    const { again } = await renewedUnder(made, { ...made, issuing: newIssuing() });
    assert.deepEqual(again, []);
  });

  it('is renewed with what is to be trusted where a new authority follows, and its instances go on', async () => {
    const ca = trustOf(await newAuthority(nowMs, first), nowMs);
    const { asked, key } = await renewedUnder(made, { issuing, ca });
    const [secret, ...others] = secretsIn(asked);
    assert.deepEqual(others, []);
    assert.equal(decoded(secret?.data['ca.crt']), ca);
    assert.equal(tokenFacts(decoded(secret?.data['jwt']))?.publicKey, key);
    const { metadata, spec } = patchIn(asked);
    assert.equal(metadata.annotations['sinter.dev/credential-key'], key);
    assert.equal(spec, undefined);
  });

  it('is renewed and its instances are replaced where nobody whom they trust is left', async () => {
    const ca = trustOf(await newAuthority(nowMs), nowMs);
    const { asked, key } = await renewedUnder(made, { issuing, ca });
    assert.equal(tokenFacts(decoded(secretsIn(asked)[0]?.data['jwt']))?.publicKey, key);
    assert.ok(patchIn(asked).spec);
  });

  it('goes by what instances started with, not by what was written last', async () => {
    const second = await newAuthority(nowMs, first);
    const [both, later] = [trustOf(second, nowMs), trustOf(second, nowMs + 3 * YEAR_MS)];
    const startedWith = { 'sinter.dev/instances-origin': credentialsOf(made).origin() ?? '' };
    const { asked } = await renewedUnder({ issuing, ca: both }, { issuing, ca: later }, startedWith);
    assert.ok(patchIn(asked).spec);
  });

  it('whose Deployments could not all be told of a new key is told to the others the next time', async () => {
    const today = { ...made, issuing: newIssuing() };
    const refused = new Set(['two']);
    await using server = await scriptedServer((request) => {
      const name = request.path.split('/').at(-1) ?? '';
      if (request.method === 'PATCH' && refused.delete(name)) request.reply(403, status(403, 'Forbidden'));
      else request.reply(request.method === 'POST' ? 201 : 200, request.body);
    });
    const found = ['one', 'two'].map((name) => deploymentOf(scope.unit, noteBy(made), name));
    const { client, units } = unitsOver(server, found, today);
    await assert.rejects(units.renew(scope, owner, signal));
    await units.renew(scope, owner, signal);
    client.close();
    const patches = server.asked.filter((one) => one.method === 'PATCH');
    assert.match(patches.at(-1)?.path ?? '', /two$/);
    assert.ok((patches.at(-1)?.body as Annotated).spec, 'its instances are replaced');
  });

  it('half of whose Deployments were told before an operator died is told to the others by the next one', async () => {
    const today = { ...made, issuing: newIssuing() };
    await using server = await scriptedServer((request) => {
      request.reply(request.method === 'POST' ? 201 : 200, request.body);
    });
    const found = [
      deploymentOf(scope.unit, noteBy(today), 'one'),
      deploymentOf(scope.unit, noteBy(made), 'two'),
    ];
    const { client, units } = unitsOver(server, found, today);
    await units.renew(scope, owner, signal);
    client.close();
    assert.match(patchPath(server.asked), /two$/);
    assert.deepEqual(secretsIn(server.asked), []);
    const { metadata, spec } = patchIn(server.asked);
    assert.equal(
      metadata.annotations['sinter.dev/credential-key'],
      found[0]?.metadata.annotations?.['sinter.dev/credential-key'],
    );
    assert.ok(spec);
  });

  it('follows an authority that was lost, and then found again', async () => {
    await using server = await scriptedServer((request) => {
      request.reply(request.method === 'POST' ? 201 : 200, request.body);
    });
    const today = { issuing, ca: trustOf(await newAuthority(nowMs), nowMs) };
    const { client, units } = unitsOver(server, [deploymentOf(scope.unit, noteBy(made))], today);
    const renew = () =>
      units.renew(scope, owner, signal).catch((cause: unknown) => assert.match(String(cause), /BusAway/));
    await renew();
    today.ca = made.ca;
    await renew();
    client.close();
    const written = secretsIn(server.asked).map(({ data }) => decoded(data['ca.crt']) === made.ca);
    assert.deepEqual(written, [false, true]);
  });

  it('is revoked with its unit, but not where it is that of a unit in another namespace', async () => {
    const [own, others] = [noteBy(made), noteBy(made)];
    const theirs = deploymentOf('theirs', others);
    const elsewhere = { ...theirs, metadata: { ...theirs.metadata, namespace: 'elsewhere' } };
    const revokedWith = async (note: Readonly<Record<string, string>>): Promise<readonly string[]> => {
      await using server = await scriptedServer((request) => {
        request.reply(200, status(200, 'Success'));
      });
      const revoked: string[] = [];
      const found = [deploymentOf(scope.unit, note), elsewhere];
      const { client, units } = unitsOver(server, found, made, revoked);
      await units.remove(scope, scope.unit, true, signal);
      client.close();
      return revoked;
    };
    assert.deepEqual(await revokedWith(own), [own['sinter.dev/credential-key']]);
    assert.deepEqual(await revokedWith(others), []);
  });

  it('that cannot be renewed holds up no other, and is told', async () => {
    const names = ['first', 'second'];
    await using server = await scriptedServer((request) => {
      const { metadata } = request.body as { readonly metadata: { readonly name?: string } };
      if (metadata.name?.startsWith('first') === true)
        request.reply(403, status(403, 'Forbidden', 'not this one'));
      else request.reply(request.method === 'POST' ? 201 : 200, request.body);
    });
    const found = names.map((unit) => deploymentOf(unit, noteBy(made)));
    const { client, units } = unitsOver(server, found, { ...made, issuing: newIssuing() });
    const scopesOf = names.map((unit) => ({ ...scope, unit }));
    const { againInMs, failed } = await units.renewAll(scopesOf, owner, signal);
    client.close();
    assert.deepEqual(
      failed.map(({ unit, cause }) => [unit, /not this one/.test(String(cause))]),
      [['first', true]],
    );
    assert.ok(againInMs < Infinity);
    assert.match(patchPath(server.asked), /deployments\/second$/);
  });
});
