/**
 * Makes every hop between two units of a machine of the testbed longer: the papers' functions are called over HTTP, where a hop
 * costs tens of milliseconds; Sinter's own bus on one machine takes well under one.
 *
 * How: what pods of the machine send to its own server of the bus (port 4222 of the machine) is led to a relay in this process,
 * which passes every piece on after a quarter of the delay: a call goes from the caller to the server, from there to the callee,
 * and back the same way. Sending work takes half of the delay (to the server and back), and so does the way from the gateway to
 * the first unit, whose own connection is not led through the relay. Connections that there are stay as they are: what runs already
 * has no delay.
 * (The kernel's own tool for this, netem, is a module that not every machine has.)
 *
 * Owns: one rule of the machine's packet filter, and its end. Were this process killed, the rule would stay, and units would use
 * the next server, the hub; the next run removes it.
 */
import net from 'node:net';
import { inNetworkOf } from '../../../e2e/testbed/cluster.ts';
import { MACHINES, NETWORK, addressOf, podRangeOf } from '../../../e2e/testbed/places.ts';

const PORT = 14_222;
const BUS_PORT = '4222';

export interface HopDelay {
  stop(): Promise<void>;
}

/** `leaf`: address of the pod of the machine's own server. */
export async function delayHops(machine: string, leaf: string, delayMs: number): Promise<HopDelay> {
  const found = MACHINES.find((m) => m.name === machine);
  if (!found) throw new Error(`machine: given ${machine}; hops are delayed on the testbed's only`);
  const rule = [
    ...['PREROUTING', '-p', 'tcp', '-s', podRangeOf(found), '-d', addressOf(found), '--dport', BUS_PORT],
    ...['-j', 'DNAT', '--to-destination', `${NETWORK.host}:${String(PORT)}`],
  ];
  const filter = (verb: '-I' | '-D'): Promise<string> =>
    inNetworkOf(machine, ['iptables', '-w', '-t', 'nat', verb, ...rule]);
  await filter('-D').catch(() => 'there was none');
  const relay = await listen(leaf, delayMs / 4);
  await filter('-I');
  return {
    stop: async () => {
      await filter('-D');
      relay();
    },
  };
}

/** Gives what ends it. */
async function listen(leaf: string, delayMs: number): Promise<() => void> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((near) => {
    const far = net.connect(Number(BUS_PORT), leaf);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (piece) => void setTimeout(() => to.write(piece), delayMs));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        setTimeout(() => to.destroy(), delayMs);
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(PORT, NETWORK.host, resolve);
  });
  return () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}
