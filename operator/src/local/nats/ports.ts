/**
 * Free loopback ports for servers that keep their port over a restart.
 *
 * They lie *below* the range from which the kernel takes ports for outgoing connections. Inside it two things go wrong
 * while a server is down: somebody's outgoing connection can take the port, and a client that keeps trying to reconnect
 * can meet itself (a TCP connection from a port to the same port succeeds on loopback).
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const LOWEST = 20_000;
const HIGHEST = 32_000;
const ATTEMPTS = 100;

/** Finds ports that are free now. Whoever binds one must still expect to lose it to somebody else. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>();
  for (let i = 0; i < ATTEMPTS && found.size < count; i++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) found.add(port);
  }
  if (found.size < count) throw new Error(`no ${count} free ports on 127.0.0.1 from ${LOWEST} to ${HIGHEST}`);
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => {
      resolve(false);
    });
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => {
        resolve(true);
      });
    });
  });
}
