/**
 * Two accounts: calls and store (D11).
 *
 * Why two. A server answers a request of JetStream to whatever reply address it names, with the server's own authority,
 * without looking at the rights of who asked (seen on nats-server 2.15). In one account a unit could so have an answer
 * delivered to `$JS.API.STREAM.DELETE.…`, or have the bytes of its own module written over another workflow's route. In the
 * account of calls there is nothing of JetStream to be reached: only the few subjects that are imported from the store,
 * and an answer that comes back through an import does not go out through another one (see `firewall.adversarial.test.ts`).
 *
 * Owns: what each account offers and takes, as signed tokens. Its neighbour `credentials.ts` puts users into them.
 * Invariants:
 *  1. Streams and buckets exist in the store only; in the account of calls no JetStream is on.
 *  2. What changes or inspects streams is never exported.
 *  3. Names are the same on both sides, so that a client need not know.
 *  4. Imports are the hub's; on a leaf the same account has none, so a message crosses once, at the hub.
 *  5. A user's token without rights has none: the default permissions deny all.
 */
import {
  CALLS_BUCKET,
  JS_API_PREFIX,
  WORK_CONSUMER,
  changeSubject,
  entryKeys,
  gatewayInbox,
  kvSubject,
  kvWriteSubject,
  liveSubject,
  seenSubject,
  unitInbox,
} from '@sinter/contract';
import type { InstanceKey } from '@sinter/contract';
import { encodeClaims, publicKeyOf, seconds } from './claims.ts';
import type { BusKeys } from './keys.ts';

/** Seconds since 1970, in the past of every clock. */
const FIXED_AT = 1_700_000_000;

export const operatorKey = (keys: BusKeys): string => publicKeyOf(keys.operatorSeed);
export const accountKey = (keys: BusKeys): string => publicKeyOf(keys.accountSeed);
export const storeKey = (keys: BusKeys): string => publicKeyOf(keys.storeSeed);
export const systemKey = (keys: BusKeys): string => publicKeyOf(keys.systemSeed);

/** The operator's token: what every server trusts. It never changes (`auth.ts`, invariant 2), so it has one time for ever. */
export function signOperatorToken(keys: BusKeys): string {
  const nats = { type: 'operator' as const, system_account: systemKey(keys) };
  const claims = { name: 'sinter', sub: operatorKey(keys), iat: FIXED_AT, nats };
  return encodeClaims(claims, keys.operatorSeed);
}

/** The account of calls, as the hub or as a leaf is to know it. */
export const signAccountToken = (keys: BusKeys, nowMs: number, at: 'hub' | 'leaf'): string =>
  accountToken(keys, keys.accountSeed, 'calls', nowMs, {
    ...(at === 'hub' ? callsClaims(storeKey(keys)) : RESTRICTED),
    revocations: keys.revoked,
  });

/** The account of what is stored. Only the hub knows it. */
export const signStoreToken = (keys: BusKeys, nowMs: number): string =>
  accountToken(keys, keys.storeSeed, 'store', nowMs, {
    ...storeClaims(accountKey(keys)),
    revocations: keys.revoked,
  });

/** What the account of calls may and offers, on a hub; `store` is the other account's public key. */
export const callsClaims = (store: string) => ({
  ...RESTRICTED,
  exports: CALLS_OFFERS.map(offer),
  imports: callsTakes(store),
});

/** What the account of what is stored may and offers; `calls` is the other account's public key. */
export const storeClaims = (calls: string) => ({
  ...RESTRICTED,
  limits: { ...UNLIMITED, ...STORAGE },
  exports: STORE_OFFERS.map(offer),
  imports: CALLS_OFFERS.map((o) => take(o, calls)),
});

/** The account through which servers are told of changed accounts. It never changes either. */
export const signSystemToken = (keys: BusKeys): string =>
  accountToken(keys, keys.systemSeed, 'system', FIXED_AT * 1000, { limits: UNLIMITED });

/** Something that one account offers and the other takes. */
interface Offer {
  readonly subject: string;
  readonly type: 'stream' | 'service';
  /** A request has many answers: they must come within this time. */
  readonly manyWithinMs?: number;
}

const service = (subject: string): Offer => ({ subject, type: 'service' });
const stream = (subject: string): Offer => ({ subject, type: 'stream' });

/** Longer than a host waits for work in one pull, and than a page of a bucket takes. */
const PULL_MS = 30_000;
const PAGE_MS = 10_000;

/** Reading, and taking work: what a unit or gateway asks of JetStream. */
const REQUESTS: readonly Offer[] = [
  { ...service('DIRECT.GET.*'), manyWithinMs: PAGE_MS },
  service('DIRECT.GET.*.>'),
  { ...service(`CONSUMER.MSG.NEXT.*.${WORK_CONSUMER}`), manyWithinMs: PULL_MS },
].map((o) => ({ ...o, subject: `$JS.API.${o.subject}` }));

const STORE_OFFERS: readonly Offer[] = [
  ...REQUESTS,
  ...['work.>', 'later.>', 'dead.>'].map(service),
  service(kvSubject(CALLS_BUCKET, '>')),
  service(`$JS.ACK.*.${WORK_CONSUMER}.>`),
  stream(changeSubject('*.*')),
  stream(changeSubject(entryKeys)),
];

const EVERYBODY: InstanceKey = { namespace: '*', workflow: '*', unit: '*', instance: '*' };

/** What the operator hears, and where it sends renewed credentials. */
const CALLS_OFFERS: readonly Offer[] = [
  stream(liveSubject(EVERYBODY)),
  stream(seenSubject(EVERYBODY)),
  service(`${unitInbox(EVERYBODY)}.renew`),
  service(`${gatewayInbox('*')}.renew`),
];

/**
 * What clients say with the domain in it is taken under that name too: the hub turns it into the shorter one by itself only
 * as soon as it has a leaf.
 */
const callsTakes = (store: string) => [
  ...STORE_OFFERS.map((o) => take(o, store)),
  ...REQUESTS.map((o) => take(o, store, o.subject.replace('$JS.API', JS_API_PREFIX))),
  take(service(kvSubject(CALLS_BUCKET, '>')), store, kvWriteSubject(CALLS_BUCKET, '>')),
];

const offer = ({ subject, type, manyWithinMs }: Offer) => ({
  name: subject,
  subject,
  type,
  ...(manyWithinMs === undefined
    ? {}
    : { response_type: 'Stream', response_threshold: manyWithinMs * 1_000_000 }),
});

const take = ({ subject, type }: Offer, account: string, local?: string) => ({
  name: local ?? subject,
  subject,
  type,
  account,
  ...(local === undefined ? {} : { local_subject: local }),
});

const UNLIMITED = {
  ...{ subs: -1, data: -1, payload: -1 },
  ...{ imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
};
const STORAGE = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

const RESTRICTED = {
  limits: UNLIMITED,
  default_permissions: { pub: { deny: ['>'] }, sub: { deny: ['>'] } },
};

function accountToken(keys: BusKeys, seed: string, name: string, nowMs: number, nats: object): string {
  const claims = { name, sub: publicKeyOf(seed), iat: seconds(nowMs) };
  return encodeClaims({ ...claims, nats: { ...nats, type: 'account' } }, keys.operatorSeed);
}
