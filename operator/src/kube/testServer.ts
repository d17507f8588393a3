/**
 * A scripted HTTP server in the place of an API server, for what a real one cannot be made to show: it says what the test
 * tells it to, and remembers what it was asked.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Connection } from './connection.ts';
import type { KubeObject } from './objects.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  /** The answer, to be written by the script. */
  readonly response: ServerResponse;
  reply(status: number, body: unknown, headers?: Readonly<Record<string, string>>): void;
  /** Begins a stream, as a watch does. */
  stream(): Streaming;
  /** Cuts the connection without a word. */
  cut(): void;
}

export interface Streaming {
  send(event: object): void;
  raw(text: string | Uint8Array): void;
  end(): void;
  cut(): void;
}

export interface ScriptedServer extends AsyncDisposable {
  readonly connection: Connection;
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Sockets that are open. */
  readonly sockets: () => Promise<number>;
}

export async function scriptedServer(script: (asked: Asked, index: number) => void): Promise<ScriptedServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void readAll(request).then((text) => {
      const one = askedOf(request, response, text);
      asked.push(one);
      script(one, asked.length - 1);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const identity = { headers: { authorization: 'Bearer test' }, tls: {} };
  return {
    url,
    asked,
    connection: { server: url, namespace: 'default', identity: () => Promise.resolve(identity) },
    sockets: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function askedOf(request: IncomingMessage, response: ServerResponse, text: string): Asked {
  const url = new URL(request.url ?? '/', 'http://server');
  const write = (line: string | Uint8Array): void => void response.write(line);
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body: text === '' ? undefined : JSON.parse(text),
    response,
    reply: (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    },
    stream: () => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      return {
        send: (event) => write(`${JSON.stringify(event)}\n`),
        raw: write,
        end: () => void response.end(),
        cut: () => void response.destroy(),
      };
    },
    cut: () => void request.socket.destroy(),
  };
}

/** A Status object, as the API server refuses. */
export const status = (code: number, reason: string, message = reason): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message,
});

export const configMap = (name: string, resourceVersion: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion },
  ...more,
});

export const listOf = (items: readonly object[], resourceVersion: string, next?: string): object => ({
  apiVersion: 'v1',
  kind: 'List',
  metadata: { resourceVersion, ...(next !== undefined && { continue: next }) },
  items,
});
