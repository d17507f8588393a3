/**
 * Manifests from files: what `kubectl apply -f` or `-k` would send.
 *
 * Owns: which files are read, in which order, and which objects come out. Neighbours: `manifests/yaml.ts` reads a
 * file, `manifests/kustomization.ts` a kustomization; `model/` judges the objects.
 *
 * Invariants
 * 1. Objects come out in the order in which they are written, each once; an object that is there twice is an Error.
 * 2. Everything that is not taken is said: an Error, or a Notice for a kind that a laptop has no use for.
 * 3. `files` and `folders` name everything that was looked at, also when it was not there or not good, so that whoever
 *    watches them sees it mended.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { API_VERSION, GROUP, KINDS } from '@sinter/crds';
import { fileError, fileNotice } from './manifests/problem.ts';
import type { ManifestProblem } from './manifests/problem.ts';
import { KUSTOMIZATION_NAMES, outsideOf, readKustomization } from './manifests/kustomization.ts';
import { readFailure, readYaml } from './manifests/yaml.ts';
import type { RawObject } from './run.ts';

export { manifestProblemLine, type ManifestProblem } from './manifests/problem.ts';

export interface Manifests {
  readonly objects: readonly RawObject[];
  /** Where each object is written, in the order of `objects`. */
  readonly origins: readonly Origin[];
  /** Every file that was looked at; also files that are not there. */
  readonly files: readonly string[];
  /** Every folder whose list of files matters. */
  readonly folders: readonly string[];
  readonly problems: readonly ManifestProblem[];
}

export interface Origin {
  readonly file: string;
  readonly line: number;
}

interface Found {
  readonly object: RawObject;
  readonly origin: Origin;
}

type Fields = Readonly<Record<string, unknown>>;

const CORE_KINDS: ReadonlySet<string> = new Set(['ConfigMap', 'Secret']);
const OUR_KINDS: ReadonlySet<string> = new Set(KINDS.map(({ kind }) => kind));
const CLUSTER_KINDS: ReadonlySet<string> = new Set(
  KINDS.filter(({ scope }) => scope === 'Cluster').map(({ kind }) => kind),
);

/** Folders in folders: deeper than anybody nests them, and an end to it. */
const DEPTH_MAX = 32;

/**
 * Reads files and folders. A folder with a kustomization is read through it; of any other folder the files `*.yaml` and
 * `*.yml` directly in it. Never throws for what is wrong with the input.
 */
export async function readManifests(paths: readonly string[]): Promise<Manifests> {
  const reading = new Reading();
  const found: Found[] = [];
  for (const path of paths) found.push(...(await reading.path(path)));
  const kept = reading.once(found);
  return {
    objects: kept.map(({ object }) => object),
    origins: kept.map(({ origin }) => origin),
    files: [...reading.files],
    folders: [...reading.folders],
    problems: reading.problems,
  };
}

class Reading {
  readonly files = new Set<string>();
  readonly folders = new Set<string>();
  readonly problems: ManifestProblem[] = [];
  /** Real paths of the kustomizations that are being read, outermost first. */
  readonly #open: string[] = [];

  async path(path: string): Promise<readonly Found[]> {
    const kind = await kindOf(path);
    if (kind === 'Folder') return this.#folder(path);
    if (kind === 'File') {
      if (KUSTOMIZATION_NAMES.some((name) => path === name || path.endsWith(`/${name}`)))
        return this.#folder(join(path, '..'));
      return this.#manifest(path);
    }
    this.files.add(path);
    this.problems.push(kind);
    return [];
  }

  async #folder(folder: string): Promise<readonly Found[]> {
    this.folders.add(folder);
    const names = await this.#namesIn(folder);
    if (names === undefined) return [];
    const [kustomization, second] = KUSTOMIZATION_NAMES.filter((name) => names.includes(name));
    if (second !== undefined && kustomization !== undefined) {
      const message = `there is ${second} beside it; a folder has one kustomization: remove one of them`;
      this.problems.push(fileError('KustomizationInvalid', { file: join(folder, kustomization) }, message));
      return [];
    }
    if (kustomization !== undefined) return this.#kustomization(join(folder, kustomization), folder);
    const manifests = names.filter((name) => /\.ya?ml$/.test(name));
    if (manifests.length === 0) {
      const message = 'holds neither a kustomization.yaml nor any *.yaml (folders in it are not searched)';
      this.problems.push(fileError('NoManifests', { file: folder }, message));
    }
    const found: Found[] = [];
    for (const name of manifests) found.push(...(await this.#manifest(join(folder, name))));
    return found;
  }

  async #kustomization(file: string, folder: string): Promise<readonly Found[]> {
    this.files.add(file);
    const real = await realpath(folder);
    if (this.#open.includes(real) || this.#open.length >= DEPTH_MAX) {
      const message = 'comes back to itself through `resources`; take one of the folders out of the circle';
      this.problems.push(fileError('KustomizationCycle', { file }, message));
      return [];
    }
    this.#open.push(real);
    try {
      return await this.#resources(file, folder);
    } finally {
      this.#open.pop();
    }
  }

  async #resources(file: string, folder: string): Promise<readonly Found[]> {
    const kustomization = await readKustomization(file, folder);
    this.problems.push(...kustomization.problems);
    for (const one of kustomization.files) this.files.add(one);
    const found: Found[] = [];
    for (const resource of kustomization.resources)
      found.push(...(await this.#resource(resource, folder, { file, line: kustomization.resourcesLine })));
    const made = kustomization.configMaps.map((object) => ({ object, origin: { file, line: 1 } }));
    const all = [...found, ...made];
    const { namespace } = kustomization;
    return namespace === undefined ? all : all.map((one) => inNamespace(one, namespace));
  }

  async #resource(resource: string, folder: string, origin: Origin): Promise<readonly Found[]> {
    if (/^[a-z+]+:\/\/|^git@|^github\.com\/|[?]ref=/.test(resource)) {
      const message = `resources: '${resource}' is not on this machine, and nothing is fetched; copy it here`;
      this.problems.push(fileError('RemoteResource', origin, message));
      return [];
    }
    const path = join(folder, resource);
    if ((await kindOf(path)) === 'Folder') return this.#nested(resource, path, origin);
    const why = await outsideOf(folder, path);
    if (why === undefined) return this.#manifest(path);
    this.files.add(path);
    this.problems.push(fileError(why.reason, origin, `resources: '${resource}' ${why.message}`));
    return [];
  }

  /** As in kustomize, a folder among `resources` has a kustomization. */
  async #nested(resource: string, path: string, origin: Origin): Promise<readonly Found[]> {
    const names = await this.#namesIn(path);
    if (names === undefined) return [];
    if (KUSTOMIZATION_NAMES.some((name) => names.includes(name))) return this.#folder(path);
    this.folders.add(path);
    const message = `resources: '${resource}' is a folder without a kustomization.yaml; add one, or list its files`;
    this.problems.push(fileError('NoManifests', origin, message));
    return [];
  }

  async #namesIn(folder: string): Promise<readonly string[] | undefined> {
    try {
      return (await readdir(folder)).sort();
    } catch (cause) {
      this.problems.push(fileError('FileUnreadable', { file: folder }, readFailure(cause)));
      return undefined;
    }
  }

  async #manifest(file: string): Promise<readonly Found[]> {
    this.files.add(file);
    const { documents, problems } = await readYaml(file);
    this.problems.push(...problems);
    return documents.flatMap(({ value, line }) => this.#objects(value, { file, line }));
  }

  #objects(value: unknown, origin: Origin): readonly Found[] {
    if (!isFields(value) || typeof value['kind'] !== 'string') {
      const message =
        'is not an object with `apiVersion`, `kind` and `metadata`; remove it, or do not list the file';
      this.problems.push(fileError('NotAnObject', origin, message));
      return [];
    }
    const { kind, items } = value;
    if (kind.endsWith('List') && Array.isArray(items)) {
      return (items as readonly unknown[]).flatMap((item) => this.#objects(item, origin));
    }
    return this.#wanted(kind, value, origin) ? [{ object: value, origin }] : [];
  }

  #wanted(kind: string, { apiVersion }: Fields, origin: Origin): boolean {
    const version = typeof apiVersion === 'string' ? apiVersion : '';
    if (version.startsWith(`${GROUP}/`)) return true;
    if (CORE_KINDS.has(kind) && version === 'v1') return true;
    if (OUR_KINDS.has(kind) && !version.includes('/')) return true; // the version is wrong: validation says how
    if (kind === 'Namespace' && version === 'v1') return false;
    const like = OUR_KINDS.has(kind) || CORE_KINDS.has(kind);
    const hint = like ? `; did you mean apiVersion '${OUR_KINDS.has(kind) ? API_VERSION : 'v1'}'?` : '';
    const message = `${kind} (${version || 'no apiVersion'}) is left out: only Sinter's kinds, ConfigMap and Secret are read${hint}`;
    this.problems.push(fileNotice('KindNotRead', origin, message));
    return false;
  }

  /** Without those that are there a second time. */
  once(found: readonly Found[]): readonly Found[] {
    const seen = new Map<string, Origin>();
    return found.filter(({ object, origin }) => {
      const label = labelOf(object);
      const first = label === undefined ? undefined : seen.get(label);
      if (label !== undefined && first === undefined) seen.set(label, origin);
      if (first === undefined) return true;
      const message = `${label ?? ''} is there already, in ${first.file}:${first.line}; keep one of the two`;
      this.problems.push(fileError('DeclaredTwice', origin, message));
      return false;
    });
  }
}

async function kindOf(path: string): Promise<'File' | 'Folder' | ManifestProblem> {
  try {
    return (await stat(path)).isDirectory() ? 'Folder' : 'File';
  } catch (cause) {
    return fileError('FileUnreadable', { file: path }, readFailure(cause));
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const metadataOf = (object: RawObject): Fields => (isFields(object['metadata']) ? object['metadata'] : {});

function inNamespace({ object, origin }: Found, namespace: string): Found {
  if (CLUSTER_KINDS.has(String(object['kind']))) return { object, origin };
  return { object: { ...object, metadata: { ...metadataOf(object), namespace } }, origin };
}

/** `Kind namespace/name`; undefined where there is no name, which validation refuses. */
function labelOf(object: RawObject): string | undefined {
  const { name, namespace } = metadataOf(object);
  if (typeof name !== 'string') return undefined;
  const kind = String(object['kind']);
  if (CLUSTER_KINDS.has(kind)) return `${kind} ${name}`;
  return `${kind} ${typeof namespace === 'string' && namespace !== '' ? namespace : 'default'}/${name}`;
}
