/** The parts of a pull that ask nobody: names, credentials, what entries of a layer mean, which image of an index. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pullVariable } from '@sinter/contract';
import { credentialsFor } from './credentials.ts';
import { ImageError } from './imageError.ts';
import { meaningOf, partsOf } from './layerPath.ts';
import type { Meaning } from './layerPath.ts';
import { packingOf } from './layers.ts';
import { choose, parseManifest } from './manifest.ts';
import type { IndexEntry } from './manifest.ts';
import { parseReference } from './reference.ts';
import { takePullSettings } from './settings.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const problemOf = (act: () => unknown): string => {
  try {
    act();
  } catch (cause) {
    if (cause instanceof ImageError) return cause.problem;
    throw cause;
  }
  return 'none';
};

describe('a reference', () => {
  const good: Readonly<Record<string, readonly [string, string]>> = {
    [`registry.example/cars@${DIGEST}`]: ['registry.example', 'cars'],
    [`registry.example:5000/team/cars:v1@${DIGEST}`]: ['registry.example:5000', 'team/cars'],
    [`localhost/cars@${DIGEST}`]: ['localhost', 'cars'],
    [`Registry.Example/a-b_c.d/e@${DIGEST}`]: ['registry.example', 'a-b_c.d/e'],
  };
  for (const [text, [registry, repository]] of Object.entries(good))
    it(`${text} is understood`, () => {
      assert.deepEqual(parseReference(text), { registry, repository, digest: DIGEST });
    });
  const bad = [
    '',
    'cars',
    'registry.example/cars',
    'registry.example/cars:v1',
    `cars@${DIGEST}`,
    `team/cars@${DIGEST}`,
    `registry.example/Cars@${DIGEST}`,
    `registry.example/a/../b@${DIGEST}`,
    `registry.example//b@${DIGEST}`,
    `registry.example/cars@sha256:${'A'.repeat(64)}`,
    'registry.example/cars@sha256:abc',
    `https://registry.example/cars@${DIGEST}`,
    `user@registry.example/cars@${DIGEST}`,
    `registry.example/cars?x=1@${DIGEST}`,
  ];
  for (const text of bad)
    it(`'${text}' is not`, () => {
      assert.equal(
        problemOf(() => parseReference(text)),
        'ImageNotUnderstood',
      );
    });
});

describe('credentials', () => {
  const secret = (...keys: readonly string[]): string =>
    JSON.stringify({ auths: Object.fromEntries(keys.map((k) => [k, { username: 'u', password: k }])) });
  const found = (registry: string, repository: string, ...configs: readonly string[]) =>
    credentialsFor(registry, repository, configs, () => undefined).map((c) => c.key);

  const rows: Readonly<Record<string, readonly [string, boolean]>> = {
    'the host itself': ['r.example', true],
    'the host as a URL': ['https://r.example', true],
    'the host as an old URL': ['https://r.example/v1/', true],
    'a star for a label': ['*.example', true],
    'a star for a part of one': ['r*.example', true],
    'the folder of the repository': ['r.example/team', true],
    'the repository': ['r.example/team/cars', true],
    'another host': ['s.example', false],
    'a host that only begins alike': ['r.example.evil', false],
    'a host that only ends alike': ['evil-r.example', false],
    'a star for two labels': ['*', false],
    'a port that was not asked for': ['r.example:443', false],
    'another folder': ['r.example/team2', false],
    'a part of a folder': ['r.example/te', false],
    'a deeper repository': ['r.example/team/cars/deep', false],
  };
  for (const [name, [key, covers]] of Object.entries(rows))
    it(`${name} (${key}) ${covers ? 'counts' : 'does not count'}`, () => {
      assert.deepEqual(found('r.example', 'team/cars', secret(key)), covers ? [key] : []);
    });

  it('come the most specific first, then by the order of the secrets', () => {
    assert.deepEqual(
      found(
        'r.example',
        'team/cars',
        secret('r.example', '*.example'),
        secret('r.example/team', 'r.example'),
      ),
      ['r.example/team', 'r.example', 'r.example', '*.example'],
    );
  });

  it('are read from auth, with colons in the password', () => {
    const auth = Buffer.from('anna:a:b').toString('base64');
    const config = JSON.stringify({ auths: { 'r.example': { auth } } });
    assert.deepEqual(
      credentialsFor('r.example', 'c', [config], () => undefined),
      [{ key: 'r.example', username: 'anna', password: 'a:b' }],
    );
  });

  it('that cannot be read are passed over, and told without their text', () => {
    const told: string[] = [];
    const configs = ['{"secret', '[]', 'null', '"x"', JSON.stringify({ auths: { 'r.example': {} } })];
    const all = [...configs, '{"credsStore":"desktop"}', secret('r.example')];
    assert.equal(credentialsFor('r.example', 'c', all, (p) => told.push(p)).length, 1);
    assert.deepEqual(
      told.map((t) => t.slice(0, 13)),
      ['pull secret 1', 'pull secret 3', 'pull secret 4'],
    );
    assert.ok(!told.join().includes('secret"'));
  });
});

describe('settings', () => {
  it('are taken out of the environment, in the order of their numbers', () => {
    const env: NodeJS.ProcessEnv = {
      [pullVariable(10)]: 'ten',
      [pullVariable(2)]: 'two',
      SINTER_INSECURE_REGISTRIES: ' A:5000, b ,',
      SINTER_PULL_X: 'no number',
    };
    assert.deepEqual(takePullSettings(env), { configs: ['two', 'ten'], insecure: ['a:5000', 'b'] });
    assert.deepEqual(Object.keys(env).sort(), ['SINTER_INSECURE_REGISTRIES', 'SINTER_PULL_X']);
  });
});

describe('an entry of a layer, where app/bin/count.wasm is wanted,', () => {
  const wanted = ['app', 'bin', 'count.wasm'];
  const rows: Readonly<Record<string, readonly [string, string, Meaning]>> = {
    'is the file': ['app/bin/count.wasm', 'file', 'File'],
    'is the file behind ./': ['./app/bin/count.wasm', 'file', 'File'],
    'is the file behind /': ['/app//bin/count.wasm', 'file', 'File'],
    'is a symbolic link there': ['app/bin/count.wasm', 'symlink', 'Link'],
    'is a hard link there': ['app/bin/count.wasm', 'link', 'Link'],
    'is a folder there': ['app/bin/count.wasm/', 'directory', 'Other'],
    'is a device there': ['app/bin/count.wasm', 'character-device', 'Other'],
    'is a folder on the way': ['app/bin/', 'directory', 'Nothing'],
    'is a file on the way': ['app/bin', 'file', 'Deleted'],
    'is a link on the way': ['app', 'symlink', 'Link'],
    'is a hard link on the way': ['app', 'link', 'Deleted'],
    'deletes it': ['app/bin/.wh.count.wasm', 'file', 'Deleted'],
    'deletes its folder': ['app/.wh.bin', 'file', 'Deleted'],
    'deletes the first folder': ['.wh.app', 'file', 'Deleted'],
    'empties its folder': ['app/bin/.wh..wh..opq', 'file', 'Deleted'],
    'empties a folder above': ['app/.wh..wh..opq', 'file', 'Deleted'],
    'empties everything': ['.wh..wh..opq', 'file', 'Deleted'],
    'deletes a neighbour': ['app/bin/.wh.count.was', 'file', 'Nothing'],
    'empties a neighbour': ['app/lib/.wh..wh..opq', 'file', 'Nothing'],
    'is a neighbour': ['app/bin/count.wasm2', 'file', 'Nothing'],
    'lies deeper': ['app/bin/count.wasm/x', 'file', 'Nothing'],
    'has the name elsewhere': ['count.wasm', 'file', 'Nothing'],
    'leaves the image': ['../app/bin/count.wasm', 'file', 'Nothing'],
    'is the root': ['./', 'directory', 'Nothing'],
  };
  for (const [name, [entry, type, meaning]] of Object.entries(rows))
    it(name, () => {
      assert.equal(meaningOf({ name: entry, type }, wanted), meaning);
    });

  it('can be anything where the wanted path is none', () => {
    assert.equal(partsOf('/a/../b'), undefined);
    assert.equal(meaningOf({ name: 'a', type: 'file' }, []), 'Nothing');
  });
});

describe('a layer', () => {
  const rows: Readonly<Record<string, ReturnType<typeof packingOf>>> = {
    'application/vnd.oci.image.layer.v1.tar': 'None',
    'application/vnd.oci.image.layer.v1.tar+gzip': 'Gzip',
    'application/vnd.oci.image.layer.v1.tar+zstd': 'Zstd',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': 'Gzip',
    'application/vnd.docker.image.rootfs.diff.tar.gzip': 'Gzip',
    'application/vnd.docker.image.rootfs.diff.tar': 'None',
    'application/wasm': undefined,
    'application/vnd.in-toto+json': undefined,
    '': undefined,
  };
  for (const [type, packing] of Object.entries(rows))
    it(`of type '${type}' is packed as ${String(packing)}`, () => {
      assert.equal(packingOf(type), packing);
    });
});

describe('of an index', () => {
  const entry = (platform: string | undefined): IndexEntry => ({
    mediaType: '',
    digest: DIGEST,
    size: 1,
    annotations: {},
    platform,
  });
  const rows: Readonly<Record<string, readonly [readonly (string | undefined)[], string | undefined]>> = {
    'the one for this machine is taken': [['linux/amd64', 'linux/arm64', 'wasi/wasm'], 'linux/arm64'],
    'else the one for WASM': [['linux/amd64', undefined, 'wasi/wasm'], 'wasi/wasm'],
    'else the one for everybody': [['linux/amd64', undefined], undefined],
  };
  for (const [name, [platforms, wanted]] of Object.entries(rows))
    it(name, () => {
      assert.equal(choose(platforms.map(entry), 'arm64').platform, wanted);
    });

  it('with none that fits, what there is is told', () => {
    for (const platforms of [['linux/amd64', 'unknown/unknown'], []])
      assert.equal(
        problemOf(() => choose(platforms.map(entry), 'arm64')),
        'PlatformNotInImage',
      );
    assert.throws(
      () => choose([entry('linux/amd64')], 'arm64'),
      /it is for linux\/amd64, and this machine is linux\/arm64/,
    );
  });
});

describe('a manifest', () => {
  const parse = (value: unknown) => parseManifest(Buffer.from(JSON.stringify(value)));
  const rows: Readonly<Record<string, unknown>> = {
    'that is no object': 1,
    'that is null': null,
    'with neither layers nor manifests': { schemaVersion: 1, fsLayers: [] },
    'with a layer without digest': { layers: [{ size: 1 }] },
    'with another digest': { layers: [{ size: 1, digest: `sha512:${'a'.repeat(128)}` }] },
    'with a layer without size': { layers: [{ digest: DIGEST }] },
    'with a negative size': { layers: [{ digest: DIGEST, size: -1 }] },
    'with more layers than anybody needs': { layers: Array.from({ length: 1_001 }, () => 1) },
  };
  for (const [name, value] of Object.entries(rows))
    it(`${name} is not understood`, () => {
      assert.equal(
        problemOf(() => parse(value)),
        'ImageNotUnderstood',
      );
    });
  it('that is no JSON is not understood', () => {
    assert.equal(
      problemOf(() => parseManifest(Buffer.from('<html>'))),
      'ImageNotUnderstood',
    );
  });
});
