/**
 * Credentials of units and their delivery, for the controllers (`cluster.ts` has the port and the order of steps).
 */
import { gatewayInbox, unitInbox } from '@sinter/contract';
import { BusAway } from './cluster.ts';
import type { IssuedCredential, RenewedCredential, UnitCredentials } from './cluster.ts';
import { renewUnit, signUnit } from './credentials.ts';
import type { Credential } from './credentials.ts';
import type { Signers } from './keys.ts';
import type { OperatorLink } from './link.ts';
import { originOf } from './origin.ts';
import type { FileCredential } from './tokens.ts';
import { tokenFacts } from './tokens.ts';

/** Where credentials come from. */
export type Issuing =
  | { readonly kind: 'Signs'; readonly signers: Signers }
  /** Everybody has the same one. */
  | { readonly kind: 'Shares'; readonly credential: FileCredential };

export interface UnitCredentialOptions {
  /** Undefined until the keys are there. */
  readonly issuing: () => Issuing | undefined;
  readonly ca: () => string | undefined;
  readonly revoke: UnitCredentials['revoke'];
  readonly link: OperatorLink;
  readonly lifetimeMs: number;
  readonly now: () => number;
}

export function unitCredentials(options: UnitCredentialOptions): UnitCredentials {
  const issuing = (): Issuing => {
    const found = options.issuing();
    if (!found) throw new BusAway('the keys of the bus are not there yet');
    return found;
  };
  const validity = () => ({ nowMs: options.now(), lifetimeMs: options.lifetimeMs });
  const dueInMs = (expiresAtMs: number | undefined): number | undefined =>
    expiresAtMs === undefined || options.issuing()?.kind !== 'Signs'
      ? undefined
      : Math.max(0, expiresAtMs - (2 * options.lifetimeMs) / 3 - options.now());
  /** It is asked for with every look at every unit. */
  let last: { readonly from: Issuing; readonly ca: string | undefined; readonly origin: string } | undefined;
  return {
    ca: options.ca,
    origin: () => {
      const [from, ca] = [options.issuing(), options.ca()];
      if (!from) return undefined;
      if (last?.from !== from || last.ca !== ca) last = { from, ca, origin: originOf(from, ca) };
      return last.origin;
    },
    revoke: options.revoke,
    issue: (scope) => {
      const from = issuing();
      return from.kind === 'Shares' ? shared(from.credential) : signUnit(from.signers, scope, validity());
    },
    renew: (scope, publicKey) => {
      const from = issuing();
      if (from.kind === 'Shares') return withoutSeed(shared(from.credential));
      return plain(renewUnit(from.signers, scope, publicKey, validity()));
    },
    isDue: (expiresAtMs) => dueInMs(expiresAtMs) === 0,
    dueInMs,
    deliver: (renewed, instances) =>
      deliver(
        options.link,
        renewed.jwt,
        instances.map((i) => unitInbox(i)),
      ),
  };
}

/** To gateways, by the names of their instances. */
export const deliverToGateways = (
  link: OperatorLink,
  jwt: string,
  instances: readonly string[],
): Promise<void> => deliver(link, jwt, instances.map(gatewayInbox));

const deliver = (link: OperatorLink, jwt: string, inboxes: readonly string[]): Promise<void> =>
  link.ask(async (nc) => {
    for (const inbox of inboxes) nc.publish(`${inbox}.renew`, jwt);
    await nc.flush();
  });

const plain = ({ jwt, publicKey, expiresAtMs }: Credential): RenewedCredential => ({
  jwt,
  publicKey,
  expiresAtMs,
});

const withoutSeed = ({ seed: _, ...renewed }: IssuedCredential): RenewedCredential => renewed;

function shared({ jwt, seed }: FileCredential): IssuedCredential {
  const { publicKey = '', expiresAtMs } = tokenFacts(jwt) ?? {};
  return { jwt, seed, publicKey, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
}
