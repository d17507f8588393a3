/**
 * What the operator tells over HTTP: /metrics, /healthz, /readyz, and /figures/<namespace>/<workflow>: what was measured of a
 * workflow, for a snapshot.
 *
 * Owns: the server. Whether the process is healthy or ready is for who starts it to say. Nothing here reads a request's body.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ServerResponse } from 'node:http';

export interface Verdict {
  readonly ok: boolean;
  /** For people. */
  readonly says: string;
}

export interface TelemetryOptions {
  readonly port: number;
  readonly host?: string;
  /** Alive: its loops turn. */
  readonly health: () => Verdict;
  /** Of use: its copies of the cluster are whole. */
  readonly readiness: () => Verdict;
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
  /** As JSON; undefined: nothing is known here. */
  readonly figures: (namespace: string, workflow: string) => unknown;
}

export interface TelemetryServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function telemetryServer(options: TelemetryOptions): Promise<TelemetryServer> {
  const server = createServer((request, response) => {
    void answer(request.url ?? '', response, options).catch((cause: unknown) => {
      reply(response, 500, String(cause));
    });
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host ?? '0.0.0.0', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(url: string, response: ServerResponse, options: TelemetryOptions): Promise<void> {
  const [path = ''] = url.split('?');
  switch (path) {
    case '/healthz':
      verdict(response, options.health());
      return;
    case '/readyz':
      verdict(response, options.readiness());
      return;
    case '/metrics': {
      const { type, text } = await options.metrics();
      reply(response, 200, text, type);
      return;
    }
    default:
      figures(path.split('/'), response, options);
  }
}

function figures(
  [, what, namespace = '', workflow = '', ...rest]: readonly string[],
  response: ServerResponse,
  options: TelemetryOptions,
): void {
  if (what !== 'figures' || rest.length > 0 || workflow === '') {
    reply(response, 404, 'there are /metrics, /healthz, /readyz and /figures/<namespace>/<workflow>');
    return;
  }
  const known = options.figures(namespace, workflow);
  if (known === undefined)
    reply(response, 404, 'nothing is known here: another replica leads, or there is no such workflow');
  else reply(response, 200, JSON.stringify(known), 'application/json');
}

const verdict = (response: ServerResponse, { ok, says }: Verdict): void => {
  reply(response, ok ? 200 : 503, says);
};

function reply(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type });
  response.end(`${text}\n`);
}
