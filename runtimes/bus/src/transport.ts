/**
 * Dialling servers of the bus, each under its own terms of TLS.
 *
 * Owns: which name a server's certificate must be for. The client knows one set of TLS options for all its servers, and
 * for a server that is dialled by its address it would verify against `localhost`; here every dial, the client's own
 * reconnections included, gets the options of its server.
 * Invariants:
 *  1. `tls://` means TLS, verified: by `ca` where it is given, else by the authorities that Node knows. A server that
 *     offers none is refused.
 *  2. The first server is the leaf on this machine: dialled by address, its certificate must be for `leafServerName`. Any
 *     other is verified as what it was called: a name, or an address.
 */
import { NatsConnectionImpl, setTransportFactory } from '@nats-io/transport-node';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { NodeTransport, nodeResolveHost } from '@nats-io/transport-node/lib/node_transport.js';

export interface ServerTerms {
  /** Addresses, nearest first: `tls://` or `nats://`. */
  readonly servers: readonly string[];
  /** Certificates that the servers are verified with, PEM. */
  readonly ca?: string;
  readonly leafServerName?: string;
}

type TlsOptions = NonNullable<ConnectionOptions['tls']> & {
  readonly servername?: string;
  /** What is verified where no name is given. */
  readonly host: string;
};

/** A server as the client dials it: `tlsName` is the name that the address was found by. */
interface Dialled {
  readonly hostname: string;
  readonly port: number;
  readonly tlsName: string;
}

interface DialOptions extends ConnectionOptions {
  readonly tlsOf: (server: Dialled) => TlsOptions | undefined;
}

class TermedTransport extends NodeTransport {
  override async connect(server: Dialled, options: ConnectionOptions): Promise<void> {
    const tls = (options as DialOptions).tlsOf(server);
    await super.connect(server, tls === undefined ? options : { ...options, tls });
  }
}

/** As the client's own `connect`, with terms for each server. */
export function connectTo(terms: ServerTerms, options: ConnectionOptions): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new TermedTransport(), dnsResolveFn: nodeResolveHost });
  const dialling: DialOptions = { ...options, tlsOf: tlsOf(terms) };
  return NatsConnectionImpl.connect(dialling);
}

function tlsOf({ servers, ca, leafServerName }: ServerTerms): DialOptions['tlsOf'] {
  const secure = new Set(servers.filter((s) => s.startsWith('tls://')).map(hostAndPort));
  const leaf = servers[0] === undefined ? '' : hostAndPort(servers[0]);
  return ({ hostname, port, tlsName }) => {
    const called = `${bracketed(tlsName || hostname)}:${String(port)}`;
    if (!secure.has(called)) return undefined;
    return {
      host: hostname,
      ...(ca === undefined ? {} : { ca }),
      ...(called === leaf && tlsName === '' && leafServerName !== undefined
        ? { servername: leafServerName }
        : {}),
    };
  };
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

const DEFAULT_PORT = '4222';

/** Two addresses of one server read the same, whatever scheme and default they were written with. */
export function hostAndPort(server: string): string {
  const { hostname, port } = new URL(server.includes('://') ? server : `nats://${server}`);
  return `${hostname}:${port === '' ? DEFAULT_PORT : port}`;
}
