/**
 * A connection to the bus under a credential, for the operator and for tests. Hosts and gateways have their own, with
 * renewal and a choice of server.
 */
import { connect, jwtAuthenticator } from '@nats-io/transport-node';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';

/** Connects; further options override. */
export function connectAs(
  url: string | string[],
  credential: { readonly jwt: string; readonly seed: string },
  options: ConnectionOptions = {},
): Promise<NatsConnection> {
  return connect({
    servers: url,
    authenticator: jwtAuthenticator(credential.jwt, new TextEncoder().encode(credential.seed)),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    ...options,
  });
}
