/**
 * One GET of a small JSON document from a place that is not trusted.
 *
 * Owns: the limits of size and time. No redirect is followed: discovery needs none, and each would be a new place to judge.
 * Node's own client loads TLS, so it is loaded with the first request.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { guardedLookup, urlRefusal } from './places.ts';
import type { IssuerSettings } from './places.ts';

export const ANSWER_LIMIT_BYTES = 256 * 1024;
export const ANSWER_LIMIT_MS = 5_000;

/** Rejects with an Error that names the URL and what is wrong with the answer. */
export async function fetchJson(url: URL, settings: IssuerSettings, stopped: AbortSignal): Promise<unknown> {
  const refusal = urlRefusal(url, settings);
  if (refusal !== undefined) throw new Error(`${url.href}: ${refusal}`);
  const late = AbortSignal.timeout(ANSWER_LIMIT_MS);
  try {
    const text = await getText(url, settings, AbortSignal.any([late, stopped]));
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const why = late.aborted ? `no answer within ${String(ANSWER_LIMIT_MS / 1000)} s` : messageOf(cause);
    throw new Error(`${url.href}: ${why}`, { cause });
  }
}

async function getText(url: URL, settings: IssuerSettings, signal: AbortSignal): Promise<string> {
  const options: RequestOptions = {
    // An agent would keep the connection to a place that is asked every few minutes.
    agent: false,
    signal,
    lookup: guardedLookup(url, settings),
    headers: { Accept: 'application/json', 'User-Agent': 'sinter-gateway' },
    ...(settings.ca === undefined ? {} : { ca: authorities(settings.ca) }),
  };
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, options).once('response', resolve).once('error', reject).end();
  });
  if (answer.statusCode !== 200) {
    answer.destroy();
    throw new Error(`answered ${String(answer.statusCode)}, where 200 is expected`);
  }
  return await textOf(answer);
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop destroys the answer.
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_LIMIT_BYTES)
      throw new Error(`has more than ${String(ANSWER_LIMIT_BYTES)} bytes, which is the limit`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Authorities that are named replace the usual ones in Node: both are wanted. */
const authorities = (ca: string): string[] => [
  ...process.getBuiltinModule('node:tls').getCACertificates('default'),
  ca,
];

const messageOf = (cause: unknown): string =>
  cause instanceof AggregateError && cause.errors.length > 0
    ? cause.errors.map(String).join(', ')
    : cause instanceof Error
      ? cause.message
      : String(cause);
