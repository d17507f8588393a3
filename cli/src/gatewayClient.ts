/**
 * Calls to a gateway over HTTP: a run's on loopback, a cluster's wherever it is, there with TLS too.
 *
 * Owns: one request and its answer, with connections kept open between requests. Meaning of the answer: its caller's.
 */
import * as http from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';

export interface GatewayRequest {
  readonly method: string;
  /** With a leading slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Until the whole answer is there. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface GatewayAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** Nobody answers at the gateway's address, or not in time. */
export class GatewayLost extends Error {
  override readonly name = 'GatewayLost';
}

export class GatewayClient {
  readonly #url: URL;
  /** Of node:http or node:https; the latter is loaded only where it is used. */
  #way: Promise<Way> | undefined;

  /** Throws where `url` is no URL of HTTP; a path in it goes before that of each request. */
  constructor(url: string) {
    this.#url = new URL(url);
    if (!/^https?:$/.test(this.#url.protocol)) throw new TypeError(`${url} is no URL of HTTP`);
  }

  /** Rejects with GatewayLost where there is no answer at all. */
  async send(options: GatewayRequest): Promise<GatewayAnswer> {
    const { method, path, headers = {}, body, timeoutMs, signal } = options;
    this.#way ??= wayTo(this.#url);
    const { request, agent } = await this.#way;
    const late = AbortSignal.timeout(timeoutMs);
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        const why = late.aborted ? `no answer within ${String(timeoutMs / 1000)} s` : messageOf(cause);
        reject(new GatewayLost(`${this.#url.host}: ${why}`, { cause }));
      };
      const req = request(
        {
          agent,
          host: this.#url.hostname.replace(/^\[|\]$/g, ''),
          port: this.#url.port,
          method,
          path: `${this.#url.pathname.replace(/\/$/, '')}${path}`,
          headers: body === undefined ? headers : { ...headers, 'Content-Length': String(body.byteLength) },
          signal: signal === undefined ? late : AbortSignal.any([signal, late]),
        },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('error', fail);
          res.on('end', () => {
            resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) });
          });
        },
      );
      req.on('error', fail);
      req.end(body);
    });
  }

  close(): void {
    void this.#way?.then(({ agent }) => {
      agent.destroy();
    });
  }
}

interface Way {
  readonly request: typeof http.request;
  readonly agent: http.Agent;
}

async function wayTo({ protocol }: URL): Promise<Way> {
  if (protocol === 'http:') return { request: http.request, agent: new http.Agent({ keepAlive: true }) };
  const https = await import('node:https');
  return { request: https.request, agent: new https.Agent({ keepAlive: true }) };
}

const messageOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause ? String(cause.code) : '';
  return cause.message === '' ? code : cause.message;
};
