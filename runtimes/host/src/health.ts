/**
 * Answers to the probes of a kubelet: `/healthz` says that the main loop turns, `/readyz` that the unit serves and is
 * connected. Nothing here is asked by a call.
 */
import type { Server } from 'node:http';

const LIMIT_MS = 5_000;
const CONNECTIONS = 64;

/**
 * Listens on every address of the pod. The caller closes it, or lets it end with the process. Node's HTTP server is loaded
 * only here, two milliseconds that a unit should have served in before.
 */
export async function answerProbes(port: number, isReady: () => boolean): Promise<Server> {
  const { createServer } = await import('node:http');
  const server = createServer(
    { headersTimeout: LIMIT_MS, requestTimeout: LIMIT_MS, keepAliveTimeout: LIMIT_MS },
    (req, res) => {
      const [status, text] = answerTo(req.url?.split('?')[0], isReady);
      res.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
    },
  );
  server.maxConnections = CONNECTIONS;
  return server.listen(port);
}

function answerTo(path: string | undefined, isReady: () => boolean): readonly [number, string] {
  switch (path) {
    case '/healthz':
      return [200, 'ok'];
    case '/readyz':
      return isReady() ? [200, 'ok'] : [503, 'not ready'];
    default:
      return [404, 'not found'];
  }
}
