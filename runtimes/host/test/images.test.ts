/** Modules out of images: from a real registry, with and without credentials. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ImageError } from '../src/images/imageError.ts';
import { pullModule } from '../src/images/pull.ts';
import type { PullOptions } from '../src/images/pull.ts';
import {
  IMAGE,
  NO_REGISTRY,
  PASSWORD,
  USER,
  blob,
  dockerConfig,
  image,
  index,
  layer,
  manifest,
  referenceTo,
  startRegistry,
} from './registry.ts';
import type { Descriptor, Files, TestRegistry } from './registry.ts';

const NO_FILE = {};
const TITLE = 'org.opencontainers.image.title';
const linux = (d: Descriptor, architecture: string): Descriptor => ({
  ...d,
  platform: { os: 'linux', architecture },
});

describe('a module out of an image', { skip: NO_REGISTRY }, () => {
  let registry: TestRegistry;
  const problems: string[] = [];
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());

  const pull = async (of: Descriptor, path = '/app/count.mjs', more: Partial<PullOptions> = {}) => {
    const bytes = await pullModule(
      { reference: referenceTo(registry.host, of), path },
      {
        settings: { configs: [], insecure: [registry.host] },
        architecture: 'amd64',
        onProblem: (p) => problems.push(p),
        pause: () => Promise.resolve(),
        ...more,
      },
    );
    return Buffer.from(bytes).toString();
  };
  const layers = async (...files: readonly Files[]): Promise<Descriptor> =>
    image(registry, await Promise.all(files.map((f) => layer(registry, f))));
  const fails = async (pulling: Promise<string>, problem: string, says: RegExp): Promise<void> => {
    const failed = await pulling.then(
      (text) => assert.fail(`it was pulled: ${text.slice(0, 80)}`),
      (cause: unknown) => cause,
    );
    assert.ok(failed instanceof ImageError, String(failed));
    assert.equal(failed.problem, problem, failed.message);
    assert.match(
      failed.message,
      new RegExp(`^${problem}: module /\\S+ of image ${registry.host}/team/cars@`),
    );
    assert.match(failed.message, says);
  };

  describe('is found', () => {
    const one: Files = { 'app/': null, 'app/count.mjs': 'one' };
    const rows: Readonly<Record<string, readonly Files[]>> = {
      'in the only layer': [one],
      'in a name with ./ before it': [{ './app/count.mjs': 'one' }],
      'in a layer below others': [one, { 'etc/x': 'x' }, { 'app/': null, 'app/other.mjs': 'y' }],
      'in the topmost of several that have it': [{ 'app/count.mjs': 'old' }, one],
      'where a layer deletes an older one and brings it anew': [
        { 'app/count.mjs': 'old' },
        { 'app/.wh..wh..opq': '', 'app/count.mjs': 'one' },
      ],
      'where the new one stands before the deletion': [
        { 'app/count.mjs': 'old' },
        { 'app/count.mjs': 'one', '.wh.app': '' },
      ],
      'where a lower layer had deleted it': [{ 'app/.wh.count.mjs': '' }, one],
      'where a neighbour was deleted': [one, { 'app/.wh.other.mjs': '', 'lib/.wh..wh..opq': '' }],
      'as the last of two of its name': [{ 'app/count.mjs': 'old', './app/count.mjs': 'one' }],
      'in an empty layer beside it': [one, NO_FILE],
    };
    for (const [name, files] of Object.entries(rows))
      it(name, async () => {
        assert.equal(await pull(await layers(...files)), 'one');
      });

    for (const packing of ['', '+gzip', '+zstd'] as const)
      it(`in a layer of type tar${packing}`, async () => {
        const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
        const found = await layer(registry, { 'a/': null, 'app/count.mjs': bytes }, packing);
        assert.equal(await pull(await image(registry, [found])), bytes.toString());
      });

    it('among files of all sizes, wherever it stands', async () => {
      const sizes = [0, 1, 511, 512, 513, 16_000, 16_384, 70_000, 300_000];
      for (let i = 0; i < 40; i++) {
        const at = i % 10;
        const sizeOf = (j: number): number => sizes[(i * 7 + j * 5) % sizes.length] ?? 0;
        const files = Array.from({ length: 10 }, (_, j) => [
          j === at ? 'app/count.mjs' : `app/f${String(j)}`,
          Buffer.alloc(sizeOf(j), String(j)),
        ]);
        const of = await image(registry, [
          await layer(registry, Object.fromEntries(files) as Files, i % 2 === 0 ? '' : '+gzip'),
        ]);
        assert.equal(await pull(of), String(at).repeat(sizeOf(at)), `round ${String(i)}`);
      }
    });

    it('under a long name', async () => {
      const path = `${'folder-with-a-long-name/'.repeat(12)}count.mjs`;
      assert.equal(await pull(await layers({ [path]: 'one' }), `/${path}`), 'one');
    });

    it('in an image of Docker', async () => {
      const found = await layer(registry, { 'app/count.mjs': 'one' });
      const type = 'application/vnd.docker.distribution.manifest.v2+json';
      const config = await blob(
        registry,
        'application/vnd.docker.container.image.v1+json',
        Buffer.from('{}'),
      );
      const docker = { ...found, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' };
      const content = { schemaVersion: 2, mediaType: type, config, layers: [docker] };
      assert.equal(await pull(await manifest(registry, type, content)), 'one');
    });

    it('in an artifact, as a file with its name as title', async () => {
      const files = await Promise.all(
        ['other.wasm', 'count.wasm'].map((name) =>
          blob(registry, 'application/wasm', Buffer.from(name), { [TITLE]: name }),
        ),
      );
      const artifact = await image(registry, files, { artifactType: 'application/vnd.example' });
      assert.equal(await pull(artifact, '/count.wasm'), 'count.wasm');
      await fails(
        pull(artifact, '/cuont.wasm'),
        'PathNotInImage',
        /no file \/cuont\.wasm; it has \/count\.wasm, \/other\.wasm|it has \/other\.wasm, \/count\.wasm/,
      );
    });

    it('in the image of an index that is for this machine', async () => {
      const [amd64, arm64] = await Promise.all(['x', 'y'].map((text) => layers({ 'app/count.mjs': text })));
      const both = await index(registry, [
        linux(amd64 as Descriptor, 'amd64'),
        linux(arm64 as Descriptor, 'arm64'),
      ]);
      assert.equal(await pull(both), 'x');
      assert.equal(await pull(both, undefined, { architecture: 'arm64' }), 'y');
      await fails(
        pull(both, undefined, { architecture: 's390x' }),
        'PlatformNotInImage',
        /for linux\/amd64, linux\/arm64, and this machine is linux\/s390x/,
      );
    });

    it('in an artifact that an index names for WASM', async () => {
      const wasm = await layers({ 'count.wasm': 'wasm' });
      const platform = { os: 'wasi', architecture: 'wasm' };
      assert.equal(await pull(await index(registry, [{ ...wasm, platform }]), '/count.wasm'), 'wasm');
    });
  });

  describe('is not found', () => {
    const one: Files = { 'app/count.mjs': 'one' };
    const rows: Readonly<Record<string, readonly [readonly Files[], RegExp]>> = {
      'where it is nowhere': [
        [{ 'app/cuont.mjs': 'x', 'readme.md': '' }],
        /it has \/app\/cuont\.mjs: correct/,
      ],
      'where a layer above deletes it': [[one, { 'app/.wh.count.mjs': '' }], /no file/],
      'where a layer above deletes its folder': [[one, { '.wh.app': '' }], /no file/],
      'where a layer above empties its folder': [[one, { 'app/.wh..wh..opq': '' }], /no file/],
      'where a layer above puts a file in place of its folder': [[one, { app: 'file' }], /no file/],
      'where it is a link': [
        [one, { 'app/count.mjs': { to: 'v2/count.mjs' } }],
        /'app\/count\.mjs' is a link to 'v2\/count\.mjs': write the path it leads to/,
      ],
      'where it is a hard link': [
        [{ 'app/v1.mjs': 'one', 'app/count.mjs': { hard: 'app/v1.mjs' } }],
        /is a link to 'app\/v1\.mjs'/,
      ],
      'where its folder is a link': [[one, { app: { to: 'opt' } }], /'app' is a link to 'opt'/],
      'where it is a folder': [[{ 'app/count.mjs/': null }], /is a directory, no file/],
    };
    for (const [name, [files, says]] of Object.entries(rows))
      it(name, async () => {
        await fails(pull(await layers(...files)), 'PathNotInImage', says);
      });

    it('where the registry has no such image, and it is not asked twice', async () => {
      const nowhere = { digest: `sha256:${'0'.repeat(64)}` } as Descriptor;
      problems.length = 0;
      await fails(
        pull(nowhere),
        'ImageNotFound',
        /has no image sha256:0+ in team\/cars: push it, or correct/,
      );
      assert.deepEqual(problems, []);
    });

    it('where the path leaves the image', async () => {
      await fails(pull(await layers(one), '/app/../app/count.mjs'), 'PathNotInImage', /no file/);
    });

    it('where what was pushed is no image', async () => {
      const type = 'application/vnd.oci.image.manifest.v1+json';
      const config = await blob(registry, 'application/vnd.oci.image.config.v1+json', Buffer.from('{}'));
      const none = await manifest(registry, IMAGE, { schemaVersion: 2, mediaType: type, config, layers: [] });
      await fails(pull(none), 'PathNotInImage', /no file/);
    });
  });

  describe('is bounded', () => {
    const limits = { fileBytes: 1_000, layerBytes: 20_000, unpackedBytes: 1_000_000 };
    it('in the file', async () => {
      const large = await layers({ 'app/count.mjs': 'x'.repeat(1_001) });
      await fails(pull(large, undefined, { limits }), 'TooLarge', /has 1001 bytes, at most 1000 are allowed/);
      const most = await layers({ 'app/count.mjs': 'x'.repeat(1_000) });
      assert.equal((await pull(most, undefined, { limits })).length, 1_000);
    });

    it('in a file of an artifact, before it is asked for', async () => {
      const file = await blob(registry, 'application/wasm', Buffer.alloc(1_001), { [TITLE]: 'a.wasm' });
      await fails(pull(await image(registry, [file]), '/a.wasm', { limits }), 'TooLarge', /1001 bytes/);
    });

    it('in a layer, which is told apart from the file', async () => {
      const noise = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * i * 31) % 256));
      const large = await image(registry, [await layer(registry, { x: noise }, '')]);
      await fails(
        pull(large, undefined, { limits }),
        'TooLarge',
        /layer sha256:\w+ has \d+ bytes.*layer of its own/,
      );
    });

    for (const packing of ['+gzip', '+zstd'] as const)
      it(`in what a layer of ${packing} unpacks to`, async () => {
        const bomb = await layer(registry, { zeros: Buffer.alloc(5_000_000) }, packing);
        assert.ok(bomb.size < limits.layerBytes, `packed it has ${String(bomb.size)} bytes`);
        const of = await image(registry, [bomb]);
        await fails(pull(of, undefined, { limits }), 'TooLarge', /unpacks to more than 1000000 bytes/);
      });

    it('in what it keeps: a large layer above the file takes no memory', async () => {
      const zeros = Buffer.alloc(300 * 1024 * 1024);
      const large = await layer(registry, { zeros });
      const of = await image(registry, [await layer(registry, { 'app/count.mjs': 'one' }), large]);
      globalThis.gc?.();
      const before = process.memoryUsage();
      let most = 0;
      const watch = setInterval(() => {
        const { external, heapUsed } = process.memoryUsage();
        most = Math.max(most, external + heapUsed - before.external - before.heapUsed);
      }, 5);
      assert.equal(await pull(of), 'one');
      clearInterval(watch);
      assert.ok(most < 100 * 1024 * 1024, `${String(most)} bytes more`);
    });
  });
});

describe('a registry that wants credentials', { skip: NO_REGISTRY }, () => {
  let registry: TestRegistry;
  let reference: string;
  before(async () => {
    registry = await startRegistry({ auth: true });
    const found = await layer(registry, { 'a.mjs': 'one' });
    reference = referenceTo(registry.host, await image(registry, [found]));
  });
  after(() => registry.stop());

  const pullWith = (...configs: readonly string[]): Promise<Uint8Array> =>
    pullModule(
      { reference, path: '/a.mjs' },
      {
        settings: { configs, insecure: [registry.host] },
        architecture: 'amd64',
        onProblem: () => undefined,
        pause: () => Promise.resolve(),
      },
    );

  it('lets in who has them', async () => {
    const bytes = await pullWith(dockerConfig({ [registry.host]: [USER, PASSWORD] }));
    assert.equal(Buffer.from(bytes).toString(), 'one');
  });

  it('lets in by the second of two', async () => {
    const wrong = dockerConfig({ [`${registry.host}/team`]: [USER, 'wrong'] });
    const bytes = await pullWith(wrong, dockerConfig({ [`http://${registry.host}`]: [USER, PASSWORD] }));
    assert.equal(Buffer.from(bytes).toString(), 'one');
  });

  it('says to who has none what to do, and to who has wrong ones which', async () => {
    await assert.rejects(pullWith(), (e: ImageError) => {
      assert.equal(e.problem, 'Unauthorized');
      assert.match(
        e.message,
        /no pull secret has credentials for it: name one in template\.spec\.imagePullSecrets/,
      );
      return true;
    });
    const other = dockerConfig({ 'other.example': [USER, PASSWORD] });
    await assert.rejects(pullWith(other), /no pull secret has credentials/);
    const wrong = dockerConfig({ [registry.host]: [USER, 'not-the-password'] });
    await assert.rejects(pullWith(wrong), (e: ImageError) => {
      assert.match(
        e.message,
        new RegExp(`^Unauthorized: .* also with the credentials of '${registry.host}'`),
      );
      assert.ok(!e.message.includes('not-the-password'));
      return true;
    });
  });
});
