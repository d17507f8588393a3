/** Which files become which objects, and what is said about those that do not. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { manifestProblemLine, readManifests } from './manifests.ts';
import type { Manifests } from './manifests.ts';

type Tree = Readonly<Record<string, string | Uint8Array>>;

/** Writes a folder, reads `paths` in it, and removes it. */
async function reading(tree: Tree, ...paths: readonly string[]): Promise<Manifests> {
  const root = await mkdtemp(join(tmpdir(), 'sinter-manifests-'));
  try {
    for (const [path, content] of Object.entries(tree)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
    const read = await readManifests((paths.length === 0 ? ['app'] : paths).map((path) => join(root, path)));
    const short = (text: string): string => text.replaceAll(`${root}/`, '');
    return {
      ...read,
      files: read.files.map(short),
      folders: read.folders.map(short),
      problems: read.problems.map((p) => ({ ...p, file: short(p.file), message: short(p.message) })),
    };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const labels = ({ objects }: Manifests): readonly string[] =>
  objects.map((o) => {
    const { name, namespace } = o['metadata'] as Readonly<Record<string, string | undefined>>;
    return `${String(o['kind'])} ${namespace ?? '-'}/${name ?? '-'}`;
  });
const lines = ({ problems }: Manifests): readonly string[] => problems.map(manifestProblemLine);

const fn = (name: string, more = ''): string =>
  `apiVersion: sinter.dev/v1alpha1\nkind: Function\nmetadata: { name: ${name}${more} }\n`;
const map = (name: string, data = 'a: b'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: { ${data} }\n`;
const generator = (inner: string): string =>
  `configMapGenerator:\n- name: code\n  options: { disableNameSuffixHash: true }\n${inner}`;

test('the example is read whole, without a problem', async () => {
  const folder = fileURLToPath(new URL('../../../examples/traffic', import.meta.url));
  const read = await readManifests([folder]);
  assert.deepEqual(read.problems, []);
  assert.equal(read.objects.length, 14);
  assert.equal(read.files.length, 17);
  const code = read.objects.at(-1) ?? {};
  assert.deepEqual(Object.keys(code['binaryData'] ?? {}), [
    'check-working.wasm',
    'check-sound-accident.wasm',
  ]);
  assert.equal(Object.keys(code['data'] ?? {}).length, 10);
});

const good: Readonly<Record<string, readonly [Tree, readonly string[]]>> = {
  'a folder without a kustomization gives its *.yaml and *.yml, by name, and nothing else': [
    { 'app/b.yml': fn('b'), 'app/a.yaml': fn('a'), 'app/notes.txt': '?', 'app/deep/c.yaml': fn('c') },
    ['Function -/a', 'Function -/b'],
  ],
  'several documents in a file, some of them empty': [
    { 'app/a.yaml': `---\n# nothing\n---\n${fn('a')}---\n${fn('b')}...\n` },
    ['Function -/a', 'Function -/b'],
  ],
  'a List is unpacked': [
    {
      'app/a.yaml':
        'apiVersion: v1\nkind: List\nitems:\n- { apiVersion: v1, kind: Secret, metadata: { name: s } }\n- { apiVersion: v1, kind: Namespace, metadata: { name: ns } }\n',
    },
    ['Secret -/s'],
  ],
  'a kustomization gives its resources in their order, then what it generates': [
    {
      'app/kustomization.yaml': `resources: [b.yaml, a.yaml]\n${generator('  literals: [x=1]\n')}`,
      'app/a.yaml': fn('a'),
      'app/b.yaml': fn('b'),
      'app/c.yaml': fn('not-listed'),
    },
    ['Function -/b', 'Function -/a', 'ConfigMap -/code'],
  ],
  'its namespace goes over every namespaced object, its own ConfigMaps too': [
    {
      'app/Kustomization': `namespace: road\nresources: [a.yaml]\n${generator('  literals: [x=1]\n')}`,
      'app/a.yaml': `${fn('a', ', namespace: other')}---\napiVersion: sinter.dev/v1alpha1\nkind: ClusterOptimizationPolicy\nmetadata: { name: default }\n`,
    },
    ['Function road/a', 'ClusterOptimizationPolicy -/default', 'ConfigMap road/code'],
  ],
  'a folder among the resources is read through its own kustomization; the outer namespace wins': [
    {
      'app/kustomization.yml': 'namespace: outer\nresources: [base, ../shared]\n',
      'app/base/kustomization.yaml': 'namespace: inner\nresources: [a.yaml]\n',
      'app/base/a.yaml': fn('a'),
      'shared/kustomization.yaml': 'resources: [b.yaml]\n',
      'shared/b.yaml': fn('b'),
    },
    ['Function outer/a', 'Function outer/b'],
  ],
};

for (const [sentence, [tree, expected]] of Object.entries(good)) {
  test(sentence, async () => {
    const read = await reading(tree);
    assert.deepEqual(lines(read), []);
    assert.deepEqual(labels(read), expected);
  });
}

test('a generator takes files by name or key, bytes as base64, literals with or without quotes', async () => {
  const bytes = Uint8Array.from([0, 0x61, 0x73, 0x6d, 0xff]);
  const inner =
    '  files: [f/a.mjs, b.mjs=f/a.mjs, f/w.wasm]\n  literals: [one=1, "two=a=b", \'three="q"\', "four=\'"]\n';
  const read = await reading({
    'app/kustomization.yaml': generator(inner),
    'app/f/a.mjs': 'ä\n',
    'app/f/w.wasm': bytes,
  });
  assert.deepEqual(lines(read), []);
  const { data, binaryData } = read.objects[0] ?? {};
  assert.deepEqual(data, { 'a.mjs': 'ä\n', 'b.mjs': 'ä\n', one: '1', two: 'a=b', three: 'q', four: "'" });
  assert.deepEqual(binaryData, { 'w.wasm': Buffer.from(bytes).toString('base64') });
});

const K = 'app/kustomization.yaml';
const bad: Readonly<Record<string, readonly [Tree, RegExp]>> = {
  'an unknown key': [
    { [K]: 'resources: []\npatches: []\n' },
    /^app\/kustomization.yaml:2: patches is not read; .*'resources'.* are: write it out in the manifests/,
  ],
  'a key with a slip': [{ [K]: 'resource: []\n' }, /:1: resource is not read; .*did you mean 'resources'\?/],
  generatorOptions: [
    { [K]: 'generatorOptions: { disableNameSuffixHash: true }\n' },
    /write `options` at each generator/,
  ],
  'an unknown key of a generator': [
    { [K]: generator('  behavior: merge\n') },
    /configMapGenerator\[0\]\.behavior is not read/,
  ],
  'an unknown option': [
    { [K]: 'configMapGenerator:\n- name: c\n  options: { disableNameSuffixHash: true, immutable: true }\n' },
    /options\.immutable is not read/,
  ],
  'a hash behind the name': [
    { [K]: 'configMapGenerator:\n- name: code\n  literals: [a=b]\n' },
    /kustomization.yaml:1: .*disableNameSuffixHash must be true: .*"code".*write `options: \{disableNameSuffixHash: true\}`/,
  ],
  'a Component': [{ [K]: 'kind: Component\n' }, /kind: "Component" must be 'Kustomization'/],
  'a version that is not there': [
    { [K]: 'apiVersion: kustomize.config.k8s.io/v9\n' },
    /must be 'kustomize.config.k8s.io\/v1beta1' or 'kustomize.config.k8s.io\/v1'/,
  ],
  'resources as a text': [{ [K]: 'resources: a.yaml\n' }, /resources: "a.yaml" must be a list of texts/],
  'a resource that is not there': [
    { [K]: 'namespace: a\nresources:\n- a.yaml\n' },
    /:2: resources: 'a.yaml' is not there/,
  ],
  'a resource file outside': [
    { [K]: 'resources: [../a.yaml]\n', 'a.yaml': fn('a') },
    /'..\/a.yaml' lies outside the folder of the kustomization; as in kustomize/,
  ],
  'a generator file outside': [
    { [K]: generator('  files: [../a.mjs]\n'), 'a.mjs': '' },
    /files: '..\/a.mjs' lies outside/,
  ],
  'a generator folder': [{ [K]: generator('  files: [f]\n'), 'app/f/a.mjs': '' }, /files: 'f' is not a file/],
  'two files of one key': [
    { [K]: generator('  files: [f/a, g/a]\n'), 'app/f/a': '', 'app/g/a': '' },
    /the key 'a' is there already/,
  ],
  'a path with two =': [
    { [K]: generator('  files: [a=b=c]\n') },
    /must be a path, or 'key=path' with one '='/,
  ],
  'a literal without =': [{ [K]: generator('  literals: [a]\n') }, /"a" must be 'key=value'/],
  'a key that no ConfigMap can have': [
    { [K]: generator('  literals: ["a b=c"]\n') },
    /the key "a b" must have letters/,
  ],
  'more than a ConfigMap holds': [
    { [K]: generator('  files: [a]\n'), 'app/a': new Uint8Array(1_048_577) },
    /1048578 bytes are more than a ConfigMap holds \(1048576\)/,
  ],
  'a folder without a kustomization among the resources': [
    { [K]: 'resources: [f]\n', 'app/f/a.yaml': fn('a') },
    /'f' is a folder without a kustomization.yaml/,
  ],
  'a circle': [
    { [K]: 'resources: [f]\n', 'app/f/kustomization.yaml': 'resources: [..]\n' },
    /comes back to itself through `resources`/,
  ],
  'a resource elsewhere': [
    { [K]: 'resources: ["https://example.org/a.yaml"]\n' },
    /is not on this machine, and nothing is fetched/,
  ],
  'two kustomizations': [{ [K]: '', 'app/Kustomization': '' }, /there is Kustomization beside it/],
  'an empty kustomization': [{ [K]: '# nothing\n' }, /is empty; list the manifests under `resources`/],
  'a kustomization of two documents': [
    { [K]: 'resources: []\n---\nresources: []\n' },
    /:3: holds several documents/,
  ],
  'an empty folder': [{ 'app/a.txt': '' }, /^app: holds neither a kustomization.yaml nor any \*.yaml/],
  'a path that is not there': [{ 'other/a.yaml': '' }, /^app: is not there; write the path/],
  'a key that stands twice': [
    { 'app/a.yaml': `${fn('a')}kind: Workflow\n` },
    /^app\/a.yaml:4: the key stands twice/,
  ],
  'no YAML': [{ 'app/a.yaml': 'a: [1\nb: 2\n' }, /^app\/a.yaml:\d: is not valid YAML here: /],
  'an unknown tag': [{ 'app/a.yaml': 'a: !mine 1\n' }, /:1: is not valid YAML here: Unresolved tag/],
  'no text': [{ 'app/a.yaml': Uint8Array.from([0xff, 0xfe]) }, /is not UTF-8 text/],
  'no object': [
    { 'app/a.yaml': `${fn('a')}---\n- 1\n` },
    /:5: is not an object with `apiVersion`, `kind` and `metadata`/,
  ],
  'an object that is there twice': [
    { 'app/a.yaml': fn('a'), 'app/b.yaml': `---\n${fn('a', ', namespace: default')}` },
    /^app\/b.yaml:2: Function default\/a is there already, in .*app\/a.yaml:1/,
  ],
  'an explosion of aliases': [
    {
      'app/a.yaml': [
        'a: &a [x, x]',
        ...'bcdefghi'.split('').map(
          (k, i) =>
            `${k}: &${k} [${Array(9)
              .fill(`*${'abcdefghi'[i] ?? ''}`)
              .join(', ')}]`,
        ),
      ].join('\n'),
    },
    /aliases cannot be followed/,
  ],
};

for (const [sentence, [tree, expected]] of Object.entries(bad)) {
  test(`refused with one Error: ${sentence}`, async () => {
    const read = await reading(tree);
    const errors = read.problems.filter(({ severity }) => severity === 'Error');
    assert.equal(errors.length, 1, lines(read).join('\n'));
    assert.match(lines(read).join('\n'), expected);
  });
}

test('a link out of the folder is outside, as in kustomize', async () => {
  const root = await mkdtemp(join(tmpdir(), 'sinter-manifests-'));
  try {
    await mkdir(join(root, 'app'));
    await writeFile(join(root, 'a.yaml'), fn('a'));
    await symlink(join(root, 'a.yaml'), join(root, 'app', 'a.yaml'));
    await writeFile(join(root, K), 'resources: [a.yaml]\n');
    const { problems } = await readManifests([join(root, 'app')]);
    assert.deepEqual(
      problems.map(({ reason }) => reason),
      ['OutsideFolder'],
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

const notices: Readonly<Record<string, readonly [string, string]>> = {
  'on as a key': [
    'x: { on: [a] }',
    "app/a.yaml:5: on is read as a word here, but as the boolean true by kubectl (YAML 1.1); quote it: 'on'",
  ],
  'Off as a value': [
    'x: Off',
    "app/a.yaml:5: Off is read as a word here, but as the boolean false by kubectl (YAML 1.1); quote it: 'Off'",
  ],
  'y in a list': [
    'x: [y]',
    "app/a.yaml:5: y is read as a word here, but as the boolean true by kubectl (YAML 1.1); quote it: 'y'",
  ],
  'an octal number': [
    'x: 0644',
    'app/a.yaml:5: 0644 is 644 here, but octal, that is 420, for kubectl (YAML 1.1); write 420',
  ],
};

for (const [sentence, [line, expected]] of Object.entries(notices)) {
  test(`kubectl reads it otherwise: ${sentence}`, async () => {
    const read = await reading({ 'app/a.yaml': `---\n${fn('a')}${line}\n` });
    assert.deepEqual(lines(read), [expected]);
    assert.equal(read.problems[0]?.severity, 'Notice');
    assert.equal(read.objects.length, 1);
  });
}

test('what everybody reads alike is not mentioned: quoted, tagged, booleans, longer words', async () => {
  const plain = 'x: [\'on\', "Off", !!str yes, true, False, none, onward, 0, 10, 0.5, "0644"]\n';
  assert.deepEqual(lines(await reading({ 'app/a.yaml': fn('a') + plain })), []);
});

test('other kinds are left out with a Notice, and a wrong group with a hint', async () => {
  const read = await reading({
    'app/a.yaml': [
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: d }\n',
      'apiVersion: sinter.io/v1\nkind: Function\nmetadata: { name: f }\n',
      'kind: Workflow\nmetadata: { name: w }\n',
      'apiVersion: sinter.dev/v1alpha1\nkind: Functoin\nmetadata: { name: f }\n',
      map('m'),
    ].join('---\n'),
  });
  assert.deepEqual(labels(read), ['Workflow -/w', 'Functoin -/f', 'ConfigMap -/m']);
  assert.deepEqual(
    read.problems.map(({ severity, reason }) => `${severity} ${reason}`),
    ['Notice KindNotRead', 'Notice KindNotRead'],
  );
  assert.match(lines(read)[1] ?? '', /did you mean apiVersion 'sinter.dev\/v1alpha1'\?/);
});

test('what was looked at is named also when it is not there, so that it can be watched', async () => {
  const read = await reading({ [K]: `resources: [a.yaml]\n${generator('  files: [b.mjs]\n')}` });
  assert.deepEqual(read.files, [K, 'app/b.mjs', 'app/a.yaml']);
  assert.deepEqual(read.folders, ['app']);
});

test('several paths, and a kustomization by its file', async () => {
  const tree = { [K]: 'namespace: n\nresources: [a.yaml]\n', 'app/a.yaml': fn('a'), 'b.yaml': map('b') };
  assert.deepEqual(labels(await reading(tree, K, 'b.yaml')), ['Function n/a', 'ConfigMap -/b']);
});
