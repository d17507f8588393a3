import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { takeEnvironments } from '../../../runtimes/host/src/environment.ts';
import { configMapManifest } from '../model/testApplication.ts';
import { environmentValues } from '../model/environment.ts';
import type { ConfigMap } from '../model/nouns.ts';
import { snapshotOf } from '../snapshot/testSnapshot.ts';
import type { PodEnvironment } from './unitEnvironment.ts';
import { literal, podEnvironment } from './unitEnvironment.ts';

type Values = Readonly<Record<string, string>>;

/** As the kubelet expands a variable's value: `$(NAME)` where NAME is known, `$$` for `$`. */
function expanded(text: string, known: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (found, name: string | undefined) =>
    name === undefined ? '$' : (known.get(name) ?? found),
  );
}

/** As the kubelet makes a container's environment: whole Secrets first, in their order; then each variable. */
function kubelet(
  { env, envFrom }: PodEnvironment,
  secrets: Readonly<Record<string, Values>>,
): NodeJS.ProcessEnv {
  const out = new Map<string, string>([['PATH', '/bin']]);
  for (const { prefix, secretRef } of envFrom)
    for (const [key, value] of Object.entries(secrets[secretRef.name] ?? {})) out.set(prefix + key, value);
  for (const { name, value, valueFrom } of env) {
    if (!valueFrom) out.set(name, expanded(value ?? '', out));
    if (!valueFrom || !('secretKeyRef' in valueFrom)) continue;
    const found = secrets[valueFrom.secretKeyRef.name]?.[valueFrom.secretKeyRef.key];
    if (found !== undefined) out.set(name, found);
  }
  return Object.fromEntries(out);
}

const word = fc.constantFrom('A', 'B', 'C', 'P_A', 'P_B');
const text = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom('$(PATH)', '$$(PATH)', '$', '$$', '$(', '$(SINTER_FN_F__A)', 'a$$$(B)'),
);
const values = fc.dictionary(word, text, { maxKeys: 4, noNullPrototype: true });
const prefix = fc.constantFrom('', 'P_');
const bulk = fc.oneof(
  fc.record({ prefix, configMapRef: fc.record({ name: fc.constantFrom('c1', 'c2') }) }),
  fc.record({ prefix, secretRef: fc.record({ name: fc.constantFrom('s1', 's2') }) }),
);
const optional = fc.constant(true);
const source = fc.oneof(
  text.map((value) => ({ value })),
  fc
    .record({ name: fc.constantFrom('s1', 's2'), key: word, optional })
    .map((secretKeyRef) => ({ valueFrom: { secretKeyRef } })),
  fc
    .record({ name: fc.constantFrom('c1', 'c2'), key: word, optional })
    .map((configMapKeyRef) => ({ valueFrom: { configMapKeyRef } })),
);
const env = fc
  .dictionary(word, source, { maxKeys: 3 })
  .map((named) => Object.entries(named).map(([name, from]) => ({ name, ...from })));

test('a function in a pod sees what it would see anywhere', () => {
  fc.assert(
    fc.property(
      fc.record({ envFrom: fc.array(bulk, { maxLength: 5 }), env }),
      fc.record({ c1: values, c2: values }),
      fc.record({ s1: values, s2: values }),
      (spec, maps, secrets) => {
        const others = Object.entries(maps).map(([name, data]) => configMapManifest(name, data));
        const snapshot = snapshotOf({ functions: { f: spec, 'f--g': {} }, others });
        const configMaps = (name: string): ConfigMap => ({
          metadata: { name },
          data: maps[name as keyof typeof maps],
        });
        const given = podEnvironment(snapshot.functions, configMaps);
        const names = given.env.map((e) => e.name);
        assert.equal(new Set(names).size, names.length, 'no name twice: the API refuses it');
        const process = kubelet(given, secrets);
        const taken = takeEnvironments(process, ['f', 'f--g']);
        assert.deepEqual(process, { PATH: '/bin' });
        const [f] = snapshot.functions;
        assert.ok(f);
        const expected = environmentValues(
          f.spec,
          configMaps,
          (name) => secrets[name as keyof typeof secrets],
        );
        assert.deepEqual({ ...taken.get('f') }, expected);
        assert.deepEqual(taken.get('f--g'), {});
      },
    ),
    { numRuns: 500 },
  );
});

test('a literal arrives as it was written', () => {
  const known = new Map([['PATH', '/bin']]);
  for (const written of ['$(PATH)', '$$(PATH)', '$$$(PATH)', '$', '$$', 'a$b', '$(PATH', '5$'])
    assert.equal(expanded(literal(written), known), written);
  assert.equal(expanded('$(PATH)', known), '/bin', 'the kubelet of this test does expand');
});
