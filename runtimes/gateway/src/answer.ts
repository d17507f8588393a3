/**
 * Answers as they are written to the client.
 *
 * Invariants:
 *  1. What comes from a function (its content type, its machine's name) can never make writing the answer fail.
 *  2. An answer that is given before the request's body was read reaches the client: the rest of the body is taken in for
 *     a moment before the connection is closed. (Closing with unread input resets the connection, and the client loses the
 *     answer.)
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BYTES_TYPE, PAYLOAD_LIMIT_BYTES, kindOf } from '@sinter/contract';
import type { Payload } from '@sinter/contract';
import { PROBLEM_TYPE } from './problem.ts';
import type { Problem } from './problem.ts';

const LINGER_MS = 1_000;
const LINGER_BYTES = 8 * 1024 * 1024;
const SAFE = /^[\x20-\x7e]{1,255}$/;

export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** Is there still somebody to answer? */
const answerable = (res: ServerResponse): boolean => !res.headersSent && !res.destroyed;

export function answerResult(
  { res }: Exchange,
  callId: string,
  payload: Payload,
  machine: string,
  revision: string,
  traceparent: string,
): void {
  if (!answerable(res)) return;
  res.writeHead(200, [
    'Content-Type',
    contentTypeOf(payload.contentType),
    'Content-Length',
    String(payload.bytes.byteLength),
    'Sinter-Call-Id',
    callId,
    'Sinter-Machine',
    SAFE.test(machine) ? machine : 'unknown',
    'Sinter-Revision',
    revision,
    'traceparent',
    traceparent,
    'X-Content-Type-Options',
    'nosniff',
  ]);
  res.end(payload.bytes);
}

export function answerJson(
  { res }: Exchange,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (!answerable(res)) return;
  const text = `${JSON.stringify(body)}\n`;
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  res.end(text);
}

export function answerProblem({ req, res }: Exchange, problem: Problem): void {
  if (!answerable(res)) return;
  const text = problem.toJson();
  const unread = !req.readableEnded && mayBeLong(req);
  res.writeHead(problem.status, {
    'Content-Type': PROBLEM_TYPE,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(problem.callId === undefined ? {} : { 'Sinter-Call-Id': problem.callId }),
    ...problem.headers,
    ...(unread ? { Connection: 'close' } : {}),
  });
  if (!unread || req.method === 'HEAD') res.end(text);
  else {
    res.write(text);
    linger(req, res);
  }
}

/** A body that cannot simply be skipped, keeping the connection. */
function mayBeLong(req: IncomingMessage): boolean {
  if (req.headers['transfer-encoding'] !== undefined || req.headers.expect !== undefined) return true;
  return Number(req.headers['content-length'] ?? 0) > PAYLOAD_LIMIT_BYTES;
}

function linger(req: IncomingMessage, res: ServerResponse): void {
  let bytes = 0;
  const end = (): void => {
    clearTimeout(timer);
    res.end();
  };
  const timer = setTimeout(end, LINGER_MS);
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES) end();
  });
  req.once('end', end);
  req.once('close', end);
  req.resume();
}

/** Text is UTF-8 here; not every client assumes that. */
function contentTypeOf(contentType: string): string {
  if (!SAFE.test(contentType)) return BYTES_TYPE;
  if (kindOf(contentType) !== 'Text' || /;\s*charset\s*=/i.test(contentType)) return contentType;
  return `${contentType}; charset=utf-8`;
}
