import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applicationOf, functionManifest, grouped, workflowManifest } from '../model/testApplication.ts';
import { storeOf } from '../kube/testStore.ts';
import { declaredOf } from './declared.ts';
import { hostFindings } from './hosts.ts';
import type { AllowedHosts } from './hosts.ts';
import type { StoredObject } from './kinds.ts';
import { scopeOf } from './scope.ts';
import { addressesOf } from './stores.ts';
import type { Stores } from './stores.ts';

/** The hosts of one trigger, judged; the namespace is `shop`. */
function refused(hosts: readonly string[], allowed: AllowedHosts | undefined): string {
  const http = { path: '/x', auth: { type: 'None' }, ...(hosts.length === 0 ? {} : { hosts }) };
  const manifest = workflowManifest(['a'], [], { triggers: [{ name: 't', to: 'a', type: 'Http', http }] });
  const { workflows } = applicationOf(functionManifest('a'), manifest);
  return (workflows[0] ? hostFindings(workflows[0].object, allowed) : [])
    .map(({ reason, severity, message }) => `${severity} ${reason} ${message}`)
    .join();
}

describe('the hosts of a trigger', () => {
  it('are free where nobody says otherwise', () => {
    assert.equal(refused(['a.example'], undefined), '');
    assert.equal(refused([], undefined), '');
  });

  for (const [what, hosts, allowed] of [
    ['named for the namespace', ['a.example'], { shop: ['a.example'] }],
    ['below a name', ['a.b.example', '*.b.example'], { shop: ['*.b.example'] }],
    ['whatever their case', ['a.example'], { shop: ['a.EXAMPLE'] }],
    ['named for everybody', ['a.example'], { '*': ['a.example'] }],
    ['every host, where that is allowed', [], { shop: ['*'] }],
  ] as const)
    it(`are allowed: ${what}`, () => assert.equal(refused(hosts, allowed), ''));

  for (const [what, hosts, allowed] of [
    ['named for another namespace', ['a.example'], { other: ['a.example'] }],
    ['one of several is not', ['a.example', 'b.example'], { shop: ['a.example'] }],
    ['the name itself, where those below it are', ['b.example'], { shop: ['*.b.example'] }],
    ['all below a name, where one is', ['*.b.example'], { shop: ['a.b.example'] }],
    ['every host, where one is', [], { shop: ['a.example'] }],
    ['a name that only ends alike', ['evilb.example'], { shop: ['*.b.example'] }],
  ] as const)
    it(`are refused: ${what}`, () =>
      assert.match(refused(hosts, allowed), /Error HostNotAllowed .*shop may answer at/));
});

describe('a host that two namespaces ask for', () => {
  const SQUATTER = 'constructor';
  const workflow = (namespace: string, created: string): StoredObject => {
    const http = { path: '/x', hosts: ['a.example'], auth: { type: 'None' } };
    const manifest = workflowManifest(['a'], [], { triggers: [{ name: 't', to: 'a', type: 'Http', http }] });
    const metadata = {
      namespace,
      name: 'flow',
      uid: namespace,
      resourceVersion: '1',
      creationTimestamp: created,
    };
    return { ...manifest, metadata } as unknown as StoredObject;
  };
  const squatter = workflow(SQUATTER, '2026-01-01T00:00:00Z');
  const rightful = workflow('rightful', '2026-02-01T00:00:00Z');

  /** Namespaces whose workflows stand in the way of the rightful one. */
  const rivals = (
    hosts: AllowedHosts | undefined,
    clusterPolicies: readonly object[] = [],
  ): readonly string[] => {
    const none = storeOf<never>([]);
    const workflows = storeOf([squatter, rightful], { address: addressesOf, function: () => [] });
    const stores = {
      functions: none,
      policies: none,
      clusterPolicies: storeOf(clusterPolicies as readonly StoredObject[]),
      plans: storeOf<never>([], { workflow: () => [] }),
      nodes: none,
      workflows,
    };
    const [declared] = declaredOf('Workflow', [rightful]);
    assert.ok(declared);
    const sources = { stores: stores as unknown as Stores, contents: { version: () => '-' }, hosts };
    const { others } = scopeOf(rightful, declared, sources);
    return others.flatMap(({ object: { metadata, spec } }) =>
      spec.triggers.length > 0 ? [metadata.namespace ?? ''] : [],
    );
  };

  it("is the older one's without a list, and whose it is by the list with one", () => {
    assert.deepEqual(rivals(undefined), [SQUATTER]);
    assert.deepEqual(rivals({ rightful: ['a.example'] }), []);
    assert.deepEqual(rivals({ '*': ['a.example'] }), [SQUATTER]);
  });

  it("is so too under a cluster's policy, whose groups are about every workflow", () => {
    const metadata = { name: 'default', uid: 'p', resourceVersion: '1' };
    const policy = { ...grouped('a,b'), kind: 'ClusterOptimizationPolicy', metadata };
    assert.deepEqual(rivals(undefined, [policy]), [SQUATTER]);
    assert.deepEqual(rivals({ rightful: ['a.example'] }, [policy]), []);
  });
});
