import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { callSubject, deadSubject, unitInbox, workSubject } from './names.ts';
import { gatewayPermissions, unitPermissions } from './permissions.ts';
import type { UnitScope } from './permissions.ts';

const SCOPE: UnitScope = {
  namespace: 'traffic',
  workflow: 'city',
  unit: 'city-count-7c1e02ab9f',
  functions: ['count', 'archive'],
  edges: [
    { from: 'count', to: 'classify', call: 'Sync' },
    { from: 'archive', to: 'classify', call: 'Sync' },
    { from: 'count', to: 'archive', call: 'Async' },
  ],
  asyncFunctions: ['archive'],
};

const GOLDEN = {
  publish: [
    '$JS.ACK.A_traffic_city_archive.work.>',
    '$JS.API.CONSUMER.MSG.NEXT.A_traffic_city_archive.work',
    '$JS.API.DIRECT.GET.KV_sinter-routes.$KV.sinter-routes.traffic.city',
    '$JS.API.DIRECT.GET.OBJ_sinter-modules-traffic',
    '$JS.API.DIRECT.GET.OBJ_sinter-modules-traffic.>',
    '$JS.hub.API.$KV.sinter-calls.traffic.city.*',
    '$JS.hub.API.CONSUMER.MSG.NEXT.A_traffic_city_archive.work',
    '$JS.hub.API.DIRECT.GET.KV_sinter-routes.$KV.sinter-routes.traffic.city',
    '$JS.hub.API.DIRECT.GET.OBJ_sinter-modules-traffic',
    '$JS.hub.API.DIRECT.GET.OBJ_sinter-modules-traffic.>',
    '$KV.sinter-calls.traffic.city.*',
    '_INBOX._gw.>',
    '_INBOX.traffic.city.*.>',
    'dead.traffic.city.archive.*.*',
    'fn.traffic.city.*.classify',
    'live.traffic.city.city-count-7c1e02ab9f.*',
    'seen.traffic.city.city-count-7c1e02ab9f.*',
    'work.traffic.city.archive.count.*',
  ],
  subscribe: [
    '_INBOX.traffic.city.city-count-7c1e02ab9f.>',
    'changed.traffic.city',
    'fn.traffic.city.*.archive fn',
    'fn.traffic.city.*.count fn',
  ],
};

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/);
const scopes: fc.Arbitrary<UnitScope> = fc
  .record({
    namespace: label,
    workflow: label,
    unit: label,
    functions: fc.uniqueArray(label, { minLength: 1, maxLength: 5 }),
    targets: fc.uniqueArray(label, { maxLength: 5 }),
    sync: fc.boolean(),
  })
  .map(({ targets, sync, ...scope }) => ({
    ...scope,
    edges: targets.map((to, i) => ({
      from: scope.functions[i % scope.functions.length] ?? '',
      to,
      call: (i % 2 === 0) === sync ? ('Sync' as const) : ('Async' as const),
    })),
    asyncFunctions: scope.functions.slice(1),
  }));

/** Does a right cover a subject? */
const covers = (right: string, subject: string): boolean => {
  const p = (right.split(' ')[0] ?? '').split('.');
  const s = subject.split('.');
  for (const [i, token] of p.entries()) {
    if (token === '>') return s.length > i;
    if (s[i] === undefined || (token !== '*' && token !== s[i])) return false;
  }
  return p.length === s.length;
};
const allows = (rights: readonly string[], subject: string): boolean =>
  rights.some((right) => covers(right, subject));

describe("a unit's rights", () => {
  it('are exactly these', () => {
    assert.deepEqual(unitPermissions(SCOPE), GOLDEN);
  });

  it('name its own workflow, its own namespace for modules, or the gateways, and nothing else', () => {
    fc.assert(
      fc.property(scopes, (scope) => {
        const own = `${scope.namespace}.${scope.workflow}`;
        const { publish, subscribe } = unitPermissions(scope);
        for (const right of [...publish, ...subscribe])
          assert.ok(
            right.includes(`.${own}.`) ||
              right.endsWith(`.${own}`) ||
              right.includes(`A_${scope.namespace}_${scope.workflow}_`) ||
              new RegExp(`OBJ_sinter-modules-${scope.namespace}(\\.>)?$`).test(right) ||
              right === '_INBOX._gw.>',
            right,
          );
      }),
    );
  });

  it('never let it call, read, or hand work to another workflow', () => {
    fc.assert(
      fc.property(scopes, scopes, (mine, other) => {
        fc.pre(mine.namespace !== other.namespace || mine.workflow !== other.workflow);
        const { publish, subscribe } = unitPermissions(mine);
        for (const fn of [...other.functions, ...mine.functions]) {
          assert.ok(!allows(publish, callSubject(other, 'r1', fn)));
          assert.ok(!allows(subscribe, callSubject(other, 'r1', fn)));
          for (const caller of [...mine.functions, '_gateway']) {
            assert.ok(!allows(publish, workSubject(other, fn, caller, 'id')));
            assert.ok(!allows(publish, deadSubject(other, fn, caller, 'id')));
          }
        }
        assert.ok(!allows(subscribe, `${unitInbox({ ...other, instance: 'i' })}.0.c.1`));
        assert.ok(!allows(publish, `${unitInbox({ ...other, instance: 'i' })}.0.c.1`));
      }),
    );
  });

  it('let it call what its edges say, and only that', () => {
    fc.assert(
      fc.property(scopes, label, (scope, stranger) => {
        const { publish } = unitPermissions(scope);
        const sync = new Set(scope.edges.filter((e) => e.call === 'Sync').map((e) => e.to));
        for (const fn of [...scope.functions, ...scope.edges.map((e) => e.to), stranger])
          assert.equal(allows(publish, callSubject(scope, 'r1', fn)), sync.has(fn), fn);
        for (const fn of scope.edges.map((e) => e.to))
          for (const from of scope.functions) {
            const declared = scope.edges.some((e) => e.call === 'Async' && e.from === from && e.to === fn);
            assert.equal(allows(publish, workSubject(scope, fn, from, 'id')), declared);
          }
      }),
    );
  });

  it("do not let it read another unit's replies, nor hold or forge a schedule", () => {
    const { publish, subscribe } = unitPermissions(SCOPE);
    assert.ok(!allows(subscribe, `${unitInbox({ ...SCOPE, unit: 'city-ingest-1', instance: 'i' })}.0.c.1`));
    assert.ok(!allows(subscribe, '_INBOX._gw.g1.0.c.1'));
    assert.ok(!allows(publish, 'later.traffic.city.archive.count.id'));
    assert.ok(!allows(publish, 'work.traffic.city.archive._gateway.id'));
    assert.ok(!allows(publish, '$KV.sinter-routes.traffic.city'));
  });

  it('hold no request to JetStream that changes anything', () => {
    const requests = ['STREAM.CREATE', 'STREAM.DELETE', 'STREAM.PURGE', 'STREAM.MSG.GET', 'CONSUMER.CREATE'];
    for (const rights of [unitPermissions(SCOPE), gatewayPermissions])
      for (const request of requests)
        for (const prefix of ['$JS.API', '$JS.hub.API'])
          assert.ok(!allows(rights.publish, `${prefix}.${request}.A_traffic_city_archive`), request);
  });

  it('name no revision and no instance', () => {
    assert.deepEqual(unitPermissions(SCOPE), unitPermissions({ ...SCOPE }));
    assert.ok(allows(unitPermissions(SCOPE).publish, callSubject(SCOPE, 'any-revision', 'classify')));
  });
});

describe("a gateway's rights", () => {
  it('let it call and hand on as an entry, and read no function', () => {
    const { publish, subscribe } = gatewayPermissions;
    assert.ok(allows(publish, callSubject(SCOPE, 'r', 'count')));
    assert.ok(allows(publish, workSubject(SCOPE, 'archive', '_gateway', 'id')));
    assert.ok(!allows(publish, workSubject(SCOPE, 'archive', 'count', 'id')));
    assert.ok(!allows(subscribe, callSubject(SCOPE, 'r', 'count')));
    assert.ok(!allows(subscribe, `${unitInbox({ ...SCOPE, instance: 'i' })}.0.c.1`));
    assert.ok(!allows(publish, '$KV.sinter-routes.traffic.city'));
  });
});
