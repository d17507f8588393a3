/**
 * Calls to a run's gateway over HTTP, on loopback.
 *
 * Owns: one request and its answer, with connections kept open between requests. Meaning of the answer: its caller's.
 */
import { Agent, request } from 'node:http';
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
  readonly #agent = new Agent({ keepAlive: true });

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** Rejects with GatewayLost where there is no answer at all. */
  send(options: GatewayRequest): Promise<GatewayAnswer> {
    const { method, path, headers = {}, body, timeoutMs, signal } = options;
    const late = AbortSignal.timeout(timeoutMs);
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        const why = late.aborted ? `no answer within ${String(timeoutMs / 1000)} s` : messageOf(cause);
        reject(new GatewayLost(`${this.#url.host}: ${why}`, { cause }));
      };
      const req = request(
        {
          agent: this.#agent,
          host: this.#url.hostname,
          port: this.#url.port,
          method,
          path,
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
    this.#agent.destroy();
  }
}

const messageOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause ? String(cause.code) : '';
  return cause.message === '' ? code : cause.message;
};
