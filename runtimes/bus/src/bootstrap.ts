/**
 * What a process is told at its start, and nothing else: server addresses, who it is, its credential (D3, D11).
 *
 * Owns: reading it. In a cluster it stands in the environment (from a Secret; scrubbed at once), on a laptop the parent
 * writes it as the first line to standard input, which it then holds open: when that closes, the parent is gone, and
 * so is the reason to run.
 */
import { readSync } from 'node:fs';
import type { Credential } from './signature.ts';

export interface Bootstrap {
  /** Addresses of the bus, nearest first. */
  readonly servers: readonly string[];
  readonly credential: Credential;
  /** Name of the machine: a Kubernetes Node. */
  readonly machine: string;
  /** `amd64`, `arm64`. */
  readonly architecture: string;
  /** Given to the process by whoever started it, so that it is known before it speaks. */
  readonly instance: string;
}

/** The variable that carries the bootstrap as JSON in a cluster. */
export const BOOTSTRAP_VARIABLE = 'SINTER_BOOTSTRAP';

/** Reads a bootstrap; `parentGone` is called when the parent that wrote it on standard input is no more. */
export function readBootstrap<T extends Bootstrap>(parentGone: () => void): T {
  const fromEnvironment = process.env[BOOTSTRAP_VARIABLE];
  if (fromEnvironment !== undefined) {
    Reflect.deleteProperty(process.env, BOOTSTRAP_VARIABLE);
    return parse<T>(fromEnvironment, `environment variable ${BOOTSTRAP_VARIABLE}`);
  }
  const line = firstLine();
  // Only now, while others wait for the network: making a stream of standard input takes longer than reading a line of it.
  setImmediate(() => process.stdin.once('close', parentGone).resume());
  return parse<T>(line, 'the first line of standard input');
}

/** Standard input up to its first line break, read at once: nothing can begin before it is there. */
function firstLine(): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024);
    const size = readOrWait(chunk);
    if (size === 0)
      throw new Error(
        `no bootstrap: neither ${BOOTSTRAP_VARIABLE} nor a first line on standard input was given`,
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

function parse<T extends Bootstrap>(text: string, where: string): T {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || !('servers' in value) || !('credential' in value))
    throw new Error(`${where} holds no bootstrap: servers and credential are needed`);
  return value as T;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the parser's own message would quote the text, which is secret
  }
}
