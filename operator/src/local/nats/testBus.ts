/**
 * A real bus for one test: servers, keys, connections under the identities of the wire, and nothing left behind.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { gatewayInbox, unitInbox } from '@sinter/contract';
import type { UnitScope } from '@sinter/contract';
import { connectAs } from '../../bus/connect.ts';
import { signGateway, signOperator, signUnit } from '../../bus/credentials.ts';
import type { NewCredential } from '../../bus/credentials.ts';
import { createKeys } from '../../bus/keys.ts';
import type { BusKeys } from '../../bus/keys.ts';
import { HUB, startServers } from './servers.ts';
import type { Servers, StartOptions } from './servers.ts';

/** Who connects, and where: `at` is `hub` or a machine. */
export interface ConnectOptions extends ConnectionOptions {
  readonly at?: string;
  /** Issued for it where none is given. */
  readonly credential?: NewCredential;
  /** Which instance; `i1` where it is not given. */
  readonly instance?: string;
}

export interface TestBus {
  readonly servers: Servers;
  readonly keys: BusKeys;
  readonly folder: string;
  readonly urlOf: (name: string) => string;
  readonly signUnit: (scope: UnitScope) => NewCredential;
  readonly signGateway: () => NewCredential;
  readonly connectUnit: (scope: UnitScope, options?: ConnectOptions) => Promise<NatsConnection>;
  readonly connectGateway: (options?: ConnectOptions) => Promise<NatsConnection>;
  readonly connectOperator: (options?: ConnectOptions) => Promise<NatsConnection>;
}

export type TestBusOptions = Partial<Pick<StartOptions, 'machines' | 'sync' | 'onLost' | 'keys'>>;

/** Runs a test on a bus; `machines` without a leaf where none are given. Cleans up however it ends. */
export async function withBus<T>(
  test: (bus: TestBus) => Promise<T>,
  options: TestBusOptions = {},
): Promise<T> {
  const bus = await startTestBus(options);
  try {
    return await test(bus);
  } finally {
    await bus.stop();
  }
}

/** The same for `before` and `after` of a suite: who starts it stops it. */
export async function startTestBus(
  options: TestBusOptions = {},
): Promise<TestBus & { readonly stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'sinter-bus-'));
  const keys = options.keys ?? createKeys();
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 3 });
  const servers = await startServers({ machines: [], ...options, keys, folder }).catch(
    async (cause: unknown) => {
      await remove();
      throw cause;
    },
  );
  const open: NatsConnection[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(open.map((nc) => nc.close()));
    await servers.stop();
    await remove();
  };
  return { ...identities(servers, keys, open), servers, keys, folder, urlOf: servers.urlOf, stop };
}

function identities(servers: Servers, keys: BusKeys, open: NatsConnection[]) {
  const validity = () => ({ nowMs: Date.now() });
  const connect = async (credential: NewCredential, defaults: ConnectionOptions, options: ConnectOptions) => {
    const { at = HUB, credential: given = credential, instance: _, ...rest } = options;
    const nc = await connectAs(servers.urlOf(at), given, { ...defaults, ...rest });
    open.push(nc);
    return nc;
  };
  return {
    signUnit: (scope: UnitScope) => signUnit(keys, scope, validity()),
    signGateway: () => signGateway(keys, validity()),
    connectUnit: (scope: UnitScope, o: ConnectOptions = {}) => {
      const inboxPrefix = unitInbox({ ...scope, instance: o.instance ?? 'i1' });
      return connect(signUnit(keys, scope, validity()), { inboxPrefix }, o);
    },
    connectGateway: (o: ConnectOptions = {}) =>
      connect(signGateway(keys, validity()), { inboxPrefix: gatewayInbox(o.instance ?? 'i1') }, o),
    connectOperator: (o: ConnectOptions = {}) => connect(signOperator(keys, validity()), {}, o),
  };
}
