/** Layers and archives as containerd reads them: every digest is that of the bytes it stands for. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../command.ts';
import { digestOf, writeArchive } from './archive.ts';
import type { Image } from './archive.ts';
import { cachedLayer, packed } from './layer.ts';

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

describe('an image', () => {
  const { XDG_CACHE_HOME = '' } = process.env;
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sinter-archive-'));
    process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
  });
  after(async () => {
    if (XDG_CACHE_HOME === '') delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = XDG_CACHE_HOME;
    await rm(folder, { recursive: true, force: true });
  });

  /** Files `one` and `two`, written in this order, the first one long ago. */
  const fill =
    (order: readonly string[]) =>
    async (to: string): Promise<void> => {
      await mkdir(join(to, 'app'));
      for (const name of order) await writeFile(join(to, 'app', name), `content of ${name}`);
      await utimes(join(to, 'app', order[0] ?? ''), 1, 1);
      await chmod(join(to, 'app', 'one'), 0o755);
    };

  it('has a layer that is the same for the same content, whenever it was packed', async () => {
    const first = await packed(join(folder, 'a.tar'), fill(['one', 'two']));
    const second = await packed(join(folder, 'b.tar'), fill(['two', 'one']));
    assert.equal(first.digest, second.digest);
    const bytes = await readFile(first.path);
    assert.deepEqual([first.digest, first.size], [sha256(bytes), bytes.length]);
    const listed = await run(['tar', '--numeric-owner', '-tvf', first.path]);
    assert.match(listed, /^-rwxr-xr-x 0\/0 .* 1970-01-01 .*app\/one$/m);
  });

  it('has a layer that is made once', async () => {
    let times = 0;
    const make = async (to: string): Promise<void> => {
      times++;
      await writeFile(join(to, 'file'), String(times));
    };
    assert.deepEqual(await cachedLayer('once', make), await cachedLayer('once', make));
    assert.equal(times, 1);
  });

  const imageOf = async (): Promise<Image> => ({
    name: 'sinter.local/trial:1',
    architecture: 'arm64',
    layers: [
      await packed(join(folder, 'base.tar'), fill(['one', 'two'])),
      await packed(join(folder, 'app.tar'), fill(['one', 'three'])),
    ],
    config: { User: '65532:65532' },
  });

  const unpacked = async (image: Image, leaveOut?: ReadonlySet<string>): Promise<string> => {
    const to = await mkdtemp(join(folder, 'unpacked-'));
    const archive = join(to, 'image.tar');
    await writeArchive(image, archive, leaveOut);
    await run(['tar', '-xf', archive, '-C', to]);
    return to;
  };

  it('is an archive whose digests lead from the index to every layer', async () => {
    const image = await imageOf();
    const at = await unpacked(image);
    const blob = async ({ digest, size }: Descriptor): Promise<Buffer> => {
      const bytes = await readFile(join(at, 'blobs/sha256', digest.replace('sha256:', '')));
      assert.deepEqual([sha256(bytes), bytes.length], [digest, size]);
      return bytes;
    };
    const index = JSON.parse(await readFile(join(at, 'index.json'), 'utf8')) as {
      manifests: [Descriptor & { annotations: Record<string, string>; platform: object }];
    };
    const [entry] = index.manifests;
    assert.equal(entry.annotations['io.containerd.image.name'], image.name);
    assert.deepEqual(entry.platform, { architecture: 'arm64', os: 'linux' });
    assert.equal(entry.digest, digestOf(image));
    const manifest = JSON.parse((await blob(entry)).toString()) as {
      config: Descriptor;
      layers: Descriptor[];
    };
    const config = JSON.parse((await blob(manifest.config)).toString()) as {
      rootfs: { diff_ids: string[] };
      config: object;
    };
    assert.deepEqual(config.config, { User: '65532:65532' });
    for (const layer of manifest.layers) await blob(layer);
    assert.deepEqual(
      manifest.layers.map((l) => l.digest),
      config.rootfs.diff_ids,
    );
  });

  it('leaves out the layers that the other side has', async () => {
    const image = await imageOf();
    const [base] = image.layers;
    const at = await unpacked(image, new Set([base?.digest ?? '']));
    const blobs = await readdir(join(at, 'blobs/sha256'));
    assert.equal(blobs.length, 3, 'manifest, config and one layer');
    assert.ok(!blobs.includes(base?.digest.replace('sha256:', '') ?? ''));
  });
});
