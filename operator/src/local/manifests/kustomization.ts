/**
 * What is read of a kustomization, and what is refused.
 *
 * Owns: the keys of the file and the ConfigMaps that it generates. Neighbour: `../manifests.ts` follows its resources.
 *
 * Invariants
 * 1. Read are `resources`, `namespace` and `configMapGenerator` (`name`, `files`, `literals`,
 *    `options.disableNameSuffixHash`). Any other key is an Error: what is left out silently would run here and be
 *    something else on a cluster.
 * 2. As in kustomize, files lie in the kustomization's folder or below; only folders among `resources` may be elsewhere.
 * 3. A generated ConfigMap keeps its name. kustomize would add a hash to it, which is not followed into Functions (it
 *    knows no references of custom resources), so a generator that does not turn that off is refused.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { didYouMean } from '@sinter/crds';
import type { RawObject } from '../run.ts';
import { fileError } from './problem.ts';
import type { ManifestProblem } from './problem.ts';
import { readFailure, readYaml } from './yaml.ts';
import type { YamlDocument } from './yaml.ts';

export const KUSTOMIZATION_NAMES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'] as const;

/** The most that the data of one ConfigMap may have: what an API server takes. */
export const CONFIG_MAP_BYTES_MAX = 1024 * 1024;

const API_VERSIONS = ['kustomize.config.k8s.io/v1beta1', 'kustomize.config.k8s.io/v1'];
const KEYS = ['apiVersion', 'kind', 'resources', 'namespace', 'configMapGenerator'];
const GENERATOR_KEYS = ['name', 'files', 'literals', 'options'];
const OPTION_KEYS = ['disableNameSuffixHash'];

export interface Kustomization {
  /** Paths as written, in order. */
  readonly resources: readonly string[];
  /** Line of `resources` in the file. */
  readonly resourcesLine: number;
  readonly namespace: string | undefined;
  readonly configMaps: readonly RawObject[];
  /** Files that the ConfigMaps were made from. */
  readonly files: readonly string[];
  readonly problems: readonly ManifestProblem[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads the kustomization `file`, which lies in `folder`. */
export async function readKustomization(file: string, folder: string): Promise<Kustomization> {
  const { documents, problems } = await readYaml(file);
  const [document, second] = documents;
  if (second) {
    const message = 'holds several documents; a kustomization is one: remove the others';
    return nothing([...problems, fileError('KustomizationInvalid', { file, line: second.line }, message)]);
  }
  if (document === undefined) {
    const empty = fileError(
      'KustomizationInvalid',
      { file },
      'is empty; list the manifests under `resources`',
    );
    return nothing(problems.some(isError) ? problems : [...problems, empty]);
  }
  if (!isFields(document.value)) {
    const message = `must be a map with ${list(KEYS)}`;
    return nothing([...problems, fileError('KustomizationInvalid', { file, line: document.line }, message)]);
  }
  return new Reader(file, folder, document, document.value, problems).read();
}

const isError = ({ severity }: ManifestProblem): boolean => severity === 'Error';

const nothing = (problems: readonly ManifestProblem[]): Kustomization => ({
  resources: [],
  resourcesLine: 1,
  namespace: undefined,
  configMaps: [],
  files: [],
  problems,
});

/** One reading of one kustomization: collects problems, so that a user sees all of them at once. */
class Reader {
  readonly #file: string;
  readonly #folder: string;
  readonly #document: YamlDocument;
  readonly #fields: Fields;
  readonly #problems: ManifestProblem[];
  readonly #files: string[] = [];

  constructor(
    file: string,
    folder: string,
    document: YamlDocument,
    fields: Fields,
    problems: readonly ManifestProblem[],
  ) {
    this.#file = file;
    this.#folder = folder;
    this.#document = document;
    this.#fields = fields;
    this.#problems = [...problems];
  }

  async read(): Promise<Kustomization> {
    this.#header();
    const namespace = this.#namespace();
    const configMaps = await this.#configMaps();
    return {
      resources: this.#texts(this.#fields['resources'], 'resources', 'resources'),
      resourcesLine: this.#document.lineOf('resources'),
      namespace,
      configMaps,
      files: this.#files,
      problems: this.#problems,
    };
  }

  #error(reason: string, key: string, message: string): void {
    this.#problems.push(fileError(reason, { file: this.#file, line: this.#document.lineOf(key) }, message));
  }

  #header(): void {
    this.#known(this.#fields, KEYS, '', undefined);
    const { apiVersion, kind } = this.#fields;
    if (apiVersion !== undefined && !(API_VERSIONS as readonly unknown[]).includes(apiVersion)) {
      this.#error(
        'KustomizationInvalid',
        'apiVersion',
        `apiVersion: ${shown(apiVersion)} must be ${list(API_VERSIONS)}`,
      );
    }
    if (kind !== undefined && kind !== 'Kustomization') {
      this.#error(
        'KustomizationInvalid',
        'kind',
        `kind: ${shown(kind)} must be 'Kustomization'; other kinds are not read`,
      );
    }
  }

  /** Names every key that is not read; `at` is where the map lies, `top` the key at the top that holds it. */
  #known(fields: Fields, keys: readonly string[], at: string, top: string | undefined): void {
    for (const key of Object.keys(fields).filter((one) => !keys.includes(one))) {
      const near = didYouMean(key, keys);
      const hint = near === undefined ? adviceFor(key) : `did you mean '${near}'?`;
      const message = `${at}${key} is not read; ${at === '' ? 'of a kustomization' : 'there'} ${list(keys)} are: ${hint}`;
      this.#error('KustomizationKey', top ?? key, message);
    }
  }

  #namespace(): string | undefined {
    const { namespace } = this.#fields;
    if (namespace === undefined || namespace === null || namespace === '') return undefined;
    if (typeof namespace === 'string') return namespace;
    this.#error(
      'KustomizationInvalid',
      'namespace',
      `namespace: ${shown(namespace)} must be a name; quote it`,
    );
    return undefined;
  }

  #texts(value: unknown, at: string, top: string): readonly string[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    this.#error('KustomizationInvalid', top, `${at}: ${shown(value)} must be a list of texts`);
    return [];
  }

  async #configMaps(): Promise<readonly RawObject[]> {
    const top = 'configMapGenerator';
    const generators = this.#fields[top] ?? [];
    if (!Array.isArray(generators)) {
      this.#error('KustomizationInvalid', top, `${top}: ${shown(generators)} must be a list`);
      return [];
    }
    const made: RawObject[] = [];
    for (const [i, generator] of (generators as readonly unknown[]).entries()) {
      if (isFields(generator)) made.push(await this.#configMap(generator, `${top}[${i}].`));
      else this.#error('KustomizationInvalid', top, `${top}[${i}]: ${shown(generator)} must be a map`);
    }
    return made;
  }

  async #configMap(generator: Fields, at: string): Promise<RawObject> {
    const top = 'configMapGenerator';
    const { name, files, literals } = generator;
    this.#known(generator, GENERATOR_KEYS, at, top);
    this.#options(generator['options'], `${at}options`, shown(name));
    if (typeof name !== 'string' || name === '') {
      this.#error('KustomizationInvalid', top, `${at}name: ${shown(name)} must be the name of the ConfigMap`);
    }
    const entries = new Map<string, Uint8Array | string>();
    for (const file of this.#texts(files, `${at}files`, top))
      await this.#takeFile(file, `${at}files`, entries);
    for (const literal of this.#texts(literals, `${at}literals`, top))
      this.#literal(literal, `${at}literals`, entries);
    this.#size(entries, at);
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...dataOf(entries) };
  }

  #options(options: unknown, at: string, name: string): void {
    const fields = isFields(options) ? options : {};
    this.#known(fields, OPTION_KEYS, `${at}.`, 'configMapGenerator');
    if (fields['disableNameSuffixHash'] === true) return;
    const message =
      `${at}.disableNameSuffixHash must be true: without it kustomize puts a hash behind the name ${name}, and ` +
      'Functions that name the ConfigMap would not find it; write `options: {disableNameSuffixHash: true}`';
    this.#error('NameSuffixHash', 'configMapGenerator', message);
  }

  /** `path`, or `key=path`. */
  async #takeFile(entry: string, at: string, entries: Map<string, Uint8Array | string>): Promise<void> {
    const [first = '', second, ...more] = entry.split('=');
    if (first === '' || second === '' || more.length > 0) {
      const message = `${at}: ${shown(entry)} must be a path, or 'key=path' with one '='`;
      this.#error('KustomizationInvalid', 'configMapGenerator', message);
      return;
    }
    const path = join(this.#folder, second ?? first);
    this.#files.push(path);
    const bytes = (await outsideOf(this.#folder, path)) ?? (await bytesOf(path));
    if (bytes instanceof Uint8Array)
      this.#put(second === undefined ? basename(first) : first, bytes, at, entries);
    else this.#error(bytes.reason, 'configMapGenerator', `${at}: '${second ?? first}' ${bytes.message}`);
  }

  /** `key=value`; quotes around the whole value are taken off, as kustomize does. */
  #literal(entry: string, at: string, entries: Map<string, Uint8Array | string>): void {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(entry) ?? [];
    if (key === undefined || value === undefined) {
      const message = `${at}: ${shown(entry)} must be 'key=value'`;
      this.#error('KustomizationInvalid', 'configMapGenerator', message);
      return;
    }
    this.#put(key, /^(["'])(.*)\1$/s.exec(value)?.[2] ?? value, at, entries);
  }

  #put(key: string, value: Uint8Array | string, at: string, entries: Map<string, Uint8Array | string>): void {
    if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key)) {
      const message = `${at}: the key ${shown(key)} must have letters, digits, '-', '_' or '.' only: write 'key=path'`;
      this.#error('KustomizationInvalid', 'configMapGenerator', message);
    } else if (entries.has(key)) {
      const message = `${at}: the key '${key}' is there already; give one of the two another with 'key=path'`;
      this.#error('KustomizationInvalid', 'configMapGenerator', message);
    } else entries.set(key, value);
  }

  #size(entries: ReadonlyMap<string, Uint8Array | string>, at: string): void {
    const bytes = [...entries].reduce((sum, [key, value]) => sum + key.length + Buffer.byteLength(value), 0);
    if (bytes <= CONFIG_MAP_BYTES_MAX) return;
    const message = `${at}files: ${bytes} bytes are more than a ConfigMap holds (${CONFIG_MAP_BYTES_MAX}); make several`;
    this.#error('ConfigMapTooLarge', 'configMapGenerator', message);
  }
}

/** Text is `data`; what is not UTF-8 is `binaryData` in base64: the way of kustomize and kubectl. */
function dataOf(entries: ReadonlyMap<string, Uint8Array | string>): RawObject {
  const data: Record<string, string> = {};
  const binaryData: Record<string, string> = {};
  for (const [key, value] of entries) {
    const text = typeof value === 'string' ? value : utf8(value);
    if (text === undefined) binaryData[key] = Buffer.from(value).toString('base64');
    else data[key] = text;
  }
  return {
    ...(Object.keys(data).length > 0 ? { data } : {}),
    ...(Object.keys(binaryData).length > 0 ? { binaryData } : {}),
  };
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined; // not text: the caller keeps the bytes
  }
}

interface Refusal {
  readonly reason: string;
  readonly message: string;
}

async function bytesOf(path: string): Promise<Uint8Array | Refusal> {
  try {
    return await readFile(path);
  } catch (cause) {
    return { reason: 'FileUnreadable', message: readFailure(cause) };
  }
}

/** Why a file may not be taken into a kustomization in `folder`; undefined: it may. */
export async function outsideOf(folder: string, path: string): Promise<Refusal | undefined> {
  try {
    const real = relative(await realpath(folder), await realpath(path));
    if (real === '..' || real.startsWith(`..${sep}`)) {
      const message =
        'lies outside the folder of the kustomization; as in kustomize, files must lie in it or below ' +
        '(folders with a kustomization of their own may be elsewhere): move it, or list its folder';
      return { reason: 'OutsideFolder', message };
    }
    if (!(await stat(path)).isFile())
      return { reason: 'FileUnreadable', message: 'is not a file; name a file' };
    return undefined;
  } catch (cause) {
    return { reason: 'FileUnreadable', message: readFailure(cause) };
  }
}

/** What to do instead of a key that kustomize has and that is not read here. */
function adviceFor(key: string): string {
  if (key === 'bases') return 'list the folders under `resources`';
  if (key === 'generatorOptions') return 'write `options` at each generator';
  if (key === 'secretGenerator') return 'write the Secret as a manifest';
  if (key === 'envs' || key === 'env') return 'write its lines as `literals`';
  return 'write it out in the manifests and remove the key';
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const list = (words: readonly string[]): string =>
  words
    .map((word) => `'${word}'`)
    .join(', ')
    .replace(/, ([^,]*)$/, words === API_VERSIONS ? ' or $1' : ' and $1');

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}
