/**
 * Load on a loopback address or on the testbed, bounded in count and in time.
 *
 * Closed loop: each of n connections sends its next request when the last was answered; says what a server can do.
 * Open loop: requests start on a timetable whatever the answers do, and latency counts from the planned start, so that a
 * stall is not hidden by the requests that it kept from being sent (coordinated omission).
 */
import http from 'node:http';

export interface Target {
  /** 127.0.0.1 where it is not given. */
  readonly host?: string;
  readonly port: number;
  readonly path: string;
  readonly body: Buffer;
}

export interface Load {
  /** Milliseconds, one for each request that was answered with 200. */
  readonly latenciesMs: readonly number[];
  readonly failed: number;
  readonly seconds: number;
}

function request(agent: http.Agent, target: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const req = http.request(
      {
        agent,
        host: target.host ?? '127.0.0.1',
        port: target.port,
        path: target.path,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': target.body.byteLength },
      },
      (res) => {
        res.on('data', () => undefined);
        res.on('end', () => {
          resolve(res.statusCode === 200);
        });
      },
    );
    req.on('error', () => {
      resolve(false);
    });
    req.end(target.body);
  });
}

export async function closedLoop(target: Target, connections: number, seconds: number): Promise<Load> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const latenciesMs: number[] = [];
  let failed = 0;
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      const at = performance.now();
      if (await request(agent, target)) latenciesMs.push(performance.now() - at);
      else failed += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  return { latenciesMs, failed, seconds: (performance.now() - startedAt) / 1000 };
}

export async function openLoop(target: Target, perSecond: number, seconds: number): Promise<Load> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const latenciesMs: number[] = [];
  let failed = 0;
  const startedAt = performance.now();
  const pending: Promise<void>[] = [];
  for (let i = 0; i < perSecond * seconds; i++) {
    const dueAt = startedAt + (i * 1000) / perSecond;
    const wait = dueAt - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    // A timer wakes up to a millisecond late: that is the client's, not the server's.
    const from = Math.max(dueAt, performance.now() - 1);
    pending.push(
      request(agent, target).then((ok) => {
        if (ok) latenciesMs.push(performance.now() - from);
        else failed += 1;
      }),
    );
  }
  await Promise.all(pending);
  agent.destroy();
  return { latenciesMs, failed, seconds: (performance.now() - startedAt) / 1000 };
}
