/**
 * Binaries that are built from Go modules into the cache, one after the other: each build uses every core.
 *
 * Owns: which binaries there are and where they lie. What has been built once is never built again: the folder's name
 * says what is in it, and it is put there whole. Go's own build cache is Go's.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../command.ts';
import type { Architecture } from '../places.ts';
import { ARCHITECTURES, cacheFolder } from '../places.ts';
import { step } from '../progress.ts';
import { VERSIONS } from '../versions.ts';
import { exists, goCommand } from './packages.ts';

interface Build {
  readonly name: string;
  readonly version: string;
  readonly architecture: Architecture;
  /** A published module, or a folder beside this one. */
  readonly source: { readonly module: string } | { readonly folder: string };
  /** Within the module. */
  readonly package: string;
  /** Values of string variables, by package and name. */
  readonly variables: Readonly<Record<string, string>>;
}

/** The processes of Kubernetes, all in one binary that looks at the name by which it is called. */
export const KUBERNETES_NAMES = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
] as const;

export interface Binaries {
  /** Folder with everything that this machine runs, for PATH. */
  readonly folders: readonly string[];
  readonly kubernetes: string;
  readonly helm: string;
  readonly coredns: string;
  readonly nats: Readonly<Record<Architecture, string>>;
  readonly pause: Readonly<Record<Architecture, string>>;
}

const BUILD_LIMIT_MS = 1_800_000;
const SOURCES = fileURLToPath(new URL('../go', import.meta.url));
const LIBRARY_VERSION = 'k8s.io/component-base/version';

const hyperkube = (): Build => ({
  name: 'hyperkube',
  version: VERSIONS.kubernetes,
  architecture: 'amd64',
  source: { folder: 'hyperkube' },
  package: '.',
  variables: {
    [`${LIBRARY_VERSION}.gitVersion`]: `v${VERSIONS.kubernetes}`,
    [`${LIBRARY_VERSION}.gitMajor`]: VERSIONS.kubernetes.split('.')[0] ?? '',
    [`${LIBRARY_VERSION}.gitMinor`]: VERSIONS.kubernetes.split('.')[1] ?? '',
  },
});

const helm = (): Build => ({
  name: 'helm',
  version: VERSIONS.helm,
  architecture: 'amd64',
  source: { module: 'helm.sh/helm/v4' },
  package: './cmd/helm',
  variables: { 'helm.sh/helm/v4/internal/version.version': `v${VERSIONS.helm}` },
});

const coredns = (): Build => ({
  name: 'coredns',
  version: VERSIONS.coredns,
  architecture: 'amd64',
  source: { folder: 'dns' },
  package: '.',
  variables: {},
});

const nats = (architecture: Architecture): Build => ({
  name: 'nats-server',
  version: VERSIONS.nats,
  architecture,
  source: { module: 'github.com/nats-io/nats-server/v2' },
  package: '.',
  variables: {},
});

const pause = (architecture: Architecture): Build => ({
  name: 'pause',
  version: '1',
  architecture,
  source: { folder: 'pause' },
  package: '.',
  variables: {},
});

/** Builds what the cache lacks. Rejects with what the compiler said last. */
export async function buildBinaries(): Promise<Binaries> {
  const binaries = {
    pause: await forEach(pause),
    kubernetes: await built(hyperkube()),
    helm: await built(helm()),
    coredns: await built(coredns()),
    nats: await forEach(nats),
  };
  const folders = [binaries.kubernetes, binaries.helm, binaries.coredns].map((path) => dirname(path));
  return { ...binaries, folders };
}

/** What images are made of, without what a cluster is made of. */
export async function buildForImages(): Promise<Pick<Binaries, 'pause' | 'nats'>> {
  return { pause: await forEach(pause), nats: await forEach(nats) };
}

async function forEach(of: (architecture: Architecture) => Build): Promise<Record<Architecture, string>> {
  const paths: Partial<Record<Architecture, string>> = {};
  for (const architecture of ARCHITECTURES) paths[architecture] = await built(of(architecture));
  return paths as Record<Architecture, string>;
}

async function built(build: Build): Promise<string> {
  const folder = join(cacheFolder(), 'bin', await nameOf(build));
  const binary = join(folder, build.name);
  if (await exists(binary)) return binary;
  const { name, version, architecture } = build;
  await step(`building ${name} ${version} for ${architecture}`, async () => {
    const next = `${folder}.${String(process.pid)}`;
    await mkdir(next, { recursive: true });
    try {
      await compile(build, join(next, build.name));
      if (name === 'hyperkube')
        for (const called of KUBERNETES_NAMES) await symlink(name, join(next, called));
      await rm(folder, { recursive: true, force: true });
      await rename(next, folder);
    } finally {
      await rm(next, { recursive: true, force: true });
    }
  });
  return binary;
}

async function compile(build: Build, to: string): Promise<void> {
  const go = await goCommand();
  const at = await sourceOf(build, go);
  const variables = Object.entries(build.variables).map(([name, value]) => `-X ${name}=${value}`);
  const flags = ['-trimpath', '-buildvcs=false', '-ldflags', ['-s', '-w', ...variables].join(' ')];
  await run([go, 'build', '-C', at, ...flags, '-o', to, build.package], {
    env: { CGO_ENABLED: '0', GOOS: 'linux', GOARCH: build.architecture },
    limitMs: BUILD_LIMIT_MS,
  });
}

async function sourceOf({ source, version }: Build, go: string): Promise<string> {
  if ('folder' in source) return join(SOURCES, source.folder);
  const said = await run([go, 'mod', 'download', '-json', `${source.module}@v${version}`], {
    limitMs: BUILD_LIMIT_MS,
  });
  return (JSON.parse(said) as { readonly Dir: string }).Dir;
}

/** Of our own sources the name says the content, too. */
async function nameOf({ name, version, architecture, source }: Build): Promise<string> {
  if ('module' in source) return `${name}-${version}-${architecture}`;
  const hash = createHash('sha256');
  const folder = join(SOURCES, source.folder);
  for (const file of (await readdir(folder)).sort()) hash.update(await readFile(join(folder, file)));
  return `${name}-${version}-${architecture}-${hash.digest('hex').slice(0, 8)}`;
}
