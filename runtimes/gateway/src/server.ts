/**
 * The HTTP server: sockets, limits and timeouts. What a request means is `gateway.ts`'s business.
 *
 * Invariants:
 *  1. Nobody holds a socket by being slow: a head, a whole request and the taking of an answer each have their time.
 *  2. What is no HTTP gets a problem too, unless an answer is already on its way over that connection.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_TYPE, Problem } from './problem.ts';

export interface ServerLimits {
  /** From the first byte of a connection or request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** How long a client may take nothing of an answer that is written. */
  readonly answerTimeoutMs: number;
  /** How long a connection is kept for a next request; longer than load balancers keep theirs. */
  readonly keepAliveMs: number;
  readonly headersBytes: number;
  readonly connections: number;
}

export const SERVER_LIMITS: ServerLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  answerTimeoutMs: 30_000,
  keepAliveMs: 75_000,
  headersBytes: 16 * 1024,
  connections: 16_384,
};

/** How often slow connections are looked for. */
const CHECK_MS = 1_000;
/** How often a server that ends looks whether it may. */
const CLOSING_CHECK_MS = 50;

/** `goOn` must be called before a body is read: it lets a client send that asked whether it may. */
export type Serve = (req: IncomingMessage, res: ServerResponse, goOn: () => void) => void;

export function createHttpServer(serve: Serve, limits: ServerLimits = SERVER_LIMITS): Server {
  const answering = new WeakMap<Duplex, ServerResponse>();
  const server = createServer({
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, limits.headersTimeoutMs),
    maxHeaderSize: limits.headersBytes,
  });
  server.maxConnections = limits.connections;
  const begin = (req: IncomingMessage, res: ServerResponse): void => {
    answering.set(req.socket, res);
    // The server itself puts the time for a next request in its place once all is taken.
    res.once('prefinish', () => req.socket.setTimeout(limits.answerTimeoutMs));
  };
  server.on('request', (req, res) => {
    begin(req, res);
    serve(req, res, () => undefined);
  });
  server.on('checkContinue', (req, res) => {
    begin(req, res);
    serve(req, res, () => {
      res.writeContinue();
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const res = answering.get(socket);
    const midAnswer = res !== undefined && res.headersSent && !res.writableFinished;
    if (midAnswer || !socket.writable) socket.destroy();
    else socket.end(rawProblem(problemOfClient(error)), () => socket.destroy());
  });
  return server;
}

function problemOfClient(error: NodeJS.ErrnoException): Problem {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('HeadersTooLarge', 'the headers together are larger than is taken');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('RequestTimeout', 'the request was not complete in time');
    default:
      return new Problem('BadRequest', 'what came is not HTTP/1.1');
  }
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

function rawProblem(problem: Problem): string {
  const body = problem.toJson();
  return [
    `HTTP/1.1 ${String(problem.status)} ${STATUS_TEXT[problem.status] ?? 'Error'}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

/** How a server ends, in milliseconds. */
export interface Ending {
  /** Requests under way are cut off after this, from the end of the lingering on. */
  readonly limitMs: number;
  /**
   * Before that it serves on, while `serve` tells clients with their next answers to come back over another connection. One that
   * is closed while nobody speaks may be just in use again on the other side: that request would be lost. 0: not at all.
   */
  readonly lingerMs?: number;
}

/** Stops accepting; resolves when every request under way is answered or cut off. */
export async function closeServer(server: Server, { limitMs, lingerMs = 0 }: Ending): Promise<void> {
  if (lingerMs > 0) await linger(server, lingerMs);
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  const idle = setInterval(() => {
    server.closeIdleConnections();
  }, CLOSING_CHECK_MS);
  const limit = setTimeout(() => {
    server.closeAllConnections();
  }, limitMs);
  await closed;
  clearInterval(idle);
  clearTimeout(limit);
}

/** Serves on until nobody is connected or the time is over. */
async function linger(server: Server, lingerMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearInterval(check);
      clearTimeout(limit);
      resolve();
    };
    const check = setInterval(() => {
      server.getConnections((_error, connections) => {
        if (connections === 0) done();
      });
    }, CLOSING_CHECK_MS);
    const limit = setTimeout(done, lingerMs);
  });
}
