/**
 * What a process is told at its start, and nothing else: server addresses, who it is, its credential (D3, D11).
 *
 * Owns: reading it. In a cluster it stands in the environment (from a Secret; scrubbed at once), on a laptop the parent
 * writes it as the first line to standard input, which it then holds open: when that closes, the parent is gone, and
 * so is the reason to run.
 */
import { createInterface } from 'node:readline';
import type { Credential } from './link.ts';

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
export async function readBootstrap<T extends Bootstrap>(parentGone: () => void): Promise<T> {
  const fromEnvironment = process.env[BOOTSTRAP_VARIABLE];
  if (fromEnvironment !== undefined) {
    Reflect.deleteProperty(process.env, BOOTSTRAP_VARIABLE);
    return parse<T>(fromEnvironment, `environment variable ${BOOTSTRAP_VARIABLE}`);
  }
  const line = await new Promise<string>((resolve, reject) => {
    const lines = createInterface({ input: process.stdin, terminal: false });
    lines.once('line', (text) => {
      resolve(text);
      lines.on('close', parentGone);
    });
    lines.once('close', () => {
      reject(
        new Error(`no bootstrap: neither ${BOOTSTRAP_VARIABLE} nor a first line on standard input was given`),
      );
    });
  });
  return parse<T>(line, 'the first line of standard input');
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
