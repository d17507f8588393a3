/** A real registry, on loopback or at a given address, and images pushed to it with nothing but HTTP. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { packTar } from 'modern-tar';
import type { TarEntry } from 'modern-tar';

const BINARY = '/usr/bin/docker-registry';
/** Why scenarios with a real registry are left out; false: they are not. */
export const NO_REGISTRY = existsSync(BINARY)
  ? false
  : `${BINARY} is not there: install the package docker-registry`;

export const USER = 'somebody';
export const PASSWORD = 'secret-of-the-test';
/** Of PASSWORD, in the only form that the registry takes. */
const HTPASSWD = `${USER}:$2b$05$abcdefghijklmnopqrstuu2hir4hxhqSzdkW1wYaCdjOyk2x8X6Wm`;

export const sha256 = (bytes: Uint8Array | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

export const LAYER = 'application/vnd.oci.image.layer.v1.tar';
export const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';

/** Where blobs and manifests go: a registry, or a test's own idea of one. */
export interface Store {
  putBlob(bytes: Uint8Array): Promise<void>;
  putManifest(digest: string, mediaType: string, bytes: Uint8Array): Promise<void>;
}

export interface TestRegistry extends Store {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  stop(): Promise<void>;
}

const REPOSITORY = 'team/cars';

export async function startRegistry({ auth = false, at = '' } = {}): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'sinter-registry-'));
  const host = at === '' ? `127.0.0.1:${String(await freePort())}` : at;
  await writeFile(join(folder, 'htpasswd'), `${HTPASSWD}\n`);
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: folder } },
    http: { addr: host },
    ...(auth ? { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } } : {}),
  };
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
  const child = spawn(BINARY, ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  process.once('exit', () => child.kill('SIGKILL')); // a test that fails leaves nothing behind
  const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
  const send = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { authorization, ...(init.headers as Record<string, string> | undefined) };
    return fetch(path.startsWith('http') ? path : `http://${host}/v2/${path}`, { ...init, headers });
  };
  await answered(() => send(''));
  return {
    host,
    putBlob: async (bytes) => {
      const begun = await send(`${REPOSITORY}/blobs/uploads/`, { method: 'POST' });
      const to = new URL(begun.headers.get('location') ?? '', `http://${host}`);
      to.searchParams.set('digest', sha256(bytes));
      await taken(send(to.href, { method: 'PUT', body: Buffer.from(bytes) }));
    },
    putManifest: async (digest, mediaType, bytes) => {
      const headers = { 'content-type': mediaType };
      const body = Buffer.from(bytes);
      await taken(send(`${REPOSITORY}/manifests/${digest}`, { method: 'PUT', headers, body }));
    },
    stop: async () => {
      child.kill();
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function taken(sending: Promise<Response>): Promise<void> {
  const answer = await sending;
  if (!answer.ok) throw new Error(`${String(answer.status)} ${await answer.text()}`);
}

async function answered(ask: () => Promise<Response>): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer?.ok) return;
    if (performance.now() > until) throw new Error('the registry does not answer');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `name` → text or bytes; `null` a folder, `{to}` a symbolic link, `{hard}` a hard one. */
export type Files = Readonly<
  Record<string, string | Uint8Array | null | { readonly to: string } | { readonly hard: string }>
>;

export const tarOf = (files: Files): Promise<Uint8Array> =>
  packTar(
    Object.entries(files).map(([name, content]): TarEntry => {
      if (content === null) return { header: { name, size: 0, type: 'directory' } };
      if (typeof content === 'string' || content instanceof Uint8Array)
        return { header: { name, size: Buffer.byteLength(content) }, body: content };
      if ('to' in content) return { header: { name, size: 0, type: 'symlink', linkname: content.to } };
      return { header: { name, size: 0, type: 'link', linkname: content.hard } };
    }),
  );

const PACKED: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  '': (bytes) => bytes,
  '+gzip': (bytes) => gzipSync(bytes),
  '+zstd': (bytes) => zstdCompressSync(bytes),
};

/** Puts a blob and describes it. */
export async function blob(
  store: Store,
  mediaType: string,
  bytes: Uint8Array,
  annotations?: Readonly<Record<string, string>>,
): Promise<Descriptor> {
  await store.putBlob(bytes);
  const described = { mediaType, digest: sha256(bytes), size: bytes.byteLength };
  return annotations ? { ...described, annotations } : described;
}

export async function layer(
  store: Store,
  files: Files,
  packing: '' | '+gzip' | '+zstd' = '+gzip',
): Promise<Descriptor> {
  const pack = PACKED[packing];
  if (!pack) throw new Error(packing);
  return blob(store, `${LAYER}${packing}`, pack(await tarOf(files)));
}

/** An image of these layers, bottom first; gives its descriptor. */
export async function image(
  store: Store,
  layers: readonly Descriptor[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<Descriptor> {
  const empty = await blob(store, 'application/vnd.oci.image.config.v1+json', Buffer.from('{}'));
  return manifest(store, IMAGE, { schemaVersion: 2, mediaType: IMAGE, config: empty, layers, ...more });
}

export const index = (store: Store, manifests: readonly Descriptor[]): Promise<Descriptor> =>
  manifest(store, INDEX, { schemaVersion: 2, mediaType: INDEX, manifests });

export async function manifest(store: Store, mediaType: string, content: object): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = sha256(bytes);
  await store.putManifest(digest, mediaType, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

export const referenceTo = (host: string, { digest }: Pick<Descriptor, 'digest'>): string =>
  `${host}/${REPOSITORY}@${digest}`;

export const dockerConfig = (auths: Readonly<Record<string, readonly [string, string]>>): string =>
  JSON.stringify({
    auths: Object.fromEntries(
      Object.entries(auths).map(([key, [user, password]]) => [
        key,
        { auth: Buffer.from(`${user}:${password}`).toString('base64') },
      ]),
    ),
  });
