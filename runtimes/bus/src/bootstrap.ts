/**
 * What a process is told at its start, and nothing else: server addresses, who it is, its credential (D3, D11).
 *
 * Owns: reading it. On a laptop the parent writes it as the first line to standard input, which it then holds open: when
 * that closes, the parent is gone, and so is the reason to run. In a cluster it stands in the environment, without what is
 * secret: that comes from a Secret, in variables of its own.
 * Invariant: what a process was told in its environment is gone from there before anything else runs.
 */
import { readSync } from 'node:fs';
import type { Credential } from './signature.ts';
import type { ServerTerms } from './transport.ts';

export interface Bootstrap extends ServerTerms {
  readonly credential: Credential;
  /** Name of the machine: a Kubernetes Node. */
  readonly machine: string;
  /** `amd64`, `arm64`. */
  readonly architecture: string;
  /** Given to the process by whoever started it, so that it is known before it speaks. */
  readonly instance: string;
}

/** The variables of a pod: the bootstrap as JSON, and what comes from the unit's Secret. */
const VARIABLE = {
  bootstrap: 'SINTER_BOOTSTRAP',
  jwt: 'SINTER_JWT',
  seed: 'SINTER_SEED',
  ca: 'SINTER_BUS_CA',
} as const;

/** What the bootstrap was put together from by the kubelet. */
const PARTS = ['SINTER_HOST_IP', 'SINTER_MACHINE', 'SINTER_INSTANCE'];

/** Reads a bootstrap; `parentGone` is called when the parent that wrote it on standard input is no more. */
export function readBootstrap<T extends Bootstrap>(parentGone: () => void): T {
  if (process.env[VARIABLE.bootstrap] !== undefined) return fromEnvironment<T>(process.env);
  const line = firstLine();
  // Only now, while others wait for the network: making a stream of standard input takes longer than reading a line of it.
  setImmediate(() => process.stdin.once('close', parentGone).resume());
  return complete<T>(fieldsOf(line), 'the first line of standard input');
}

/** The bootstrap of a pod; its variables are taken out of the environment, however this ends. */
export function fromEnvironment<T extends Bootstrap>(env: NodeJS.ProcessEnv): T {
  const [text, jwt, seed, ca] = Object.values(VARIABLE).map((name) => env[name]);
  for (const name of [...Object.values(VARIABLE), ...PARTS]) Reflect.deleteProperty(env, name);
  const told = fieldsOf(text ?? '');
  const own = told && {
    ...(jwt === undefined || seed === undefined ? {} : { credential: { jwt, seed } }),
    ...(ca === undefined || ca === '' ? {} : { ca }),
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    ...told,
  };
  const where = `environment variable ${VARIABLE.bootstrap} (with ${VARIABLE.jwt} and ${VARIABLE.seed})`;
  return complete<T>(own, where);
}

/** Node's words for architectures by those of Kubernetes, where they differ. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** Standard input up to its first line break, read at once: nothing can begin before it is there. */
function firstLine(): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024);
    const size = readOrWait(chunk);
    if (size === 0)
      throw new Error(
        `no bootstrap: neither ${VARIABLE.bootstrap} nor a first line on standard input was given`,
      );
    chunks.push(chunk.subarray(0, size));
    if (chunk.subarray(0, size).includes(LINE_BREAK)) break;
  }
  return Buffer.concat(chunks).toString('utf8').split('\n', 1)[0] ?? '';
}

const LINE_BREAK = 10;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** A parent may hand over an input that does not block: then there is nothing to read yet. */
function readOrWait(chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(0, chunk);
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN')) throw cause;
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}

type Fields = Readonly<Record<string, unknown>>;

function complete<T extends Bootstrap>(fields: Fields | undefined, where: string): T {
  const servers = fields?.['servers'];
  if (!fields || !Array.isArray(servers) || !('credential' in fields))
    throw new Error(`${where} holds no bootstrap: servers and credential are needed`);
  return { ...fields, servers: servers.map((server) => bracketed(String(server))) } as unknown as T;
}

/** A pod's address may be one of IPv6, which the kubelet fills in bare. */
const bracketed = (server: string): string =>
  server.replace(/^([a-z]+:\/\/)([0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*):(\d+)$/i, '$1[$2]:$3');

function fieldsOf(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // the parser's own message would quote the text, which is secret
  }
}
