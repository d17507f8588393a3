/**
 * What the adversarial tests share: a small world of units, a listener for violations, and a spy that hears everything.
 *
 * The world: in workflow `traffic`, `a` (unit u1) calls `b` (u2) and sends to `q` (u4), and has no edge to `c` (u3); a
 * workflow `other` of the same namespace has `x` (unit ux), which takes async work.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { PermissionViolationError } from '@nats-io/transport-node';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { JS_API_PREFIX, WORK_CONSUMER, liveSubject, unitInbox } from '@sinter/contract';
import type { UnitScope } from '@sinter/contract';
import { createUser } from '@nats-io/nkeys';
import { startTestBus } from '../local/nats/testBus.ts';
import type { TestBus } from '../local/nats/testBus.ts';
import { encodeClaims, seconds, seedOf } from './claims.ts';
import type { NewCredential } from './credentials.ts';
import type { BusKeys } from './keys.ts';
import { provisionAsync, provisionBuckets, provisionNamespace } from './provision.ts';

const LIMIT_MS = 5000;

export const traffic = { namespace: 'default', workflow: 'traffic' };
export const other = { namespace: 'default', workflow: 'other' };

const base = { functions: [], edges: [], asyncFunctions: [] };

export const units = {
  u1: {
    ...{ ...base, ...traffic, unit: 'u1', functions: ['a'] },
    edges: [
      { from: 'a', to: 'b', call: 'Sync' },
      { from: 'a', to: 'q', call: 'Async' },
    ],
  },
  u2: { ...base, ...traffic, unit: 'u2', functions: ['b'] },
  u3: { ...base, ...traffic, unit: 'u3', functions: ['c'] },
  u4: { ...base, ...traffic, unit: 'u4', functions: ['q'], asyncFunctions: ['q'] },
  ux: { ...base, ...other, unit: 'ux', functions: ['x'], asyncFunctions: ['x'] },
} as const satisfies Record<string, UnitScope>;

/** A bus with one leaf, `m1`, on which the world is provisioned. */
export async function startWorld() {
  const bus = await startTestBus({ machines: ['m1'] });
  const operator = await bus.connectOperator();
  await provisionBuckets(operator);
  await provisionNamespace(operator, 'default');
  await provisionNamespace(operator, 'elsewhere');
  await provisionAsync(operator, traffic, [{ fn: 'q' }]);
  await provisionAsync(operator, other, [{ fn: 'x' }]);
  return { ...bus, operator };
}

/** What the server refused on this connection, in order. */
export class Violations {
  readonly seen: PermissionViolationError[] = [];

  constructor(nc: NatsConnection) {
    void this.#collect(nc);
  }

  async #collect(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === 'error' && status.error instanceof PermissionViolationError) {
        this.seen.push(status.error);
      }
    }
  }

  /** Waits for the refusal of a subject, under the name by which the server checks it. */
  async expect(operation: 'publish' | 'subscription', subject: string): Promise<void> {
    const checked = [
      subject,
      subject.replace('$JS.hub.API', '$JS.API'),
      subject.replace('$JS.hub.API.$KV', '$KV'),
    ];
    const isIt = (v: PermissionViolationError) => v.operation === operation && checked.includes(v.subject);
    await eventually(() => this.seen.some(isIt), `no violation: ${operation} ${subject}`);
  }
}

/** May do everything in the account of calls: nobody in the product may. */
export function signAllCalls(keys: BusKeys): NewCredential {
  const key = createUser();
  const everything = { allow: ['>'] };
  const rights = { type: 'user' as const, pub: everything, sub: everything, subs: -1, data: -1, payload: -1 };
  const claims = { name: 'spy', sub: key.getPublicKey(), iat: seconds(Date.now()), nats: rights };
  const jwt = encodeClaims(claims, keys.accountSeed);
  return { jwt, seed: seedOf(key), publicKey: key.getPublicKey(), expiresAtMs: Infinity };
}

/** Hears every message in both accounts. */
export class Spy {
  /** In the account of calls, with every right. */
  readonly calls: NatsConnection;
  readonly heard: Msg[] = [];

  private constructor(calls: NatsConnection, store: NatsConnection) {
    this.calls = calls;
    for (const nc of [calls, store]) nc.subscribe('>', { callback: (_, msg) => void this.heard.push(msg) });
  }

  static async start(bus: TestBus): Promise<Spy> {
    const calls = await bus.connectOperator({ credential: signAllCalls(bus.keys) });
    const store = await bus.connectOperator();
    const spy = new Spy(calls, store);
    await calls.flush();
    await store.flush();
    return spy;
  }

  /** Waits until all that the unit published before has passed: what it may publish comes behind it on the same way. */
  async fence(unit: NatsConnection, scope: UnitScope): Promise<void> {
    const instance = crypto.randomUUID();
    const subject = liveSubject({ ...scope, instance });
    unit.publish(subject);
    await eventually(() => this.on(subject).length > 1, `no fence of ${scope.unit}`);
  }

  on(subject: string): readonly Msg[] {
    return this.heard.filter((m) => m.subject === subject);
  }
}

/** Waits for a fact, with a bound. */
export async function eventually(isSo: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
  const until = Date.now() + LIMIT_MS;
  while (!(await isSo())) {
    assert.ok(Date.now() < until, otherwise);
    await sleep(2);
  }
}

export const inboxOf = (scope: UnitScope, instance = 'i1'): string => unitInbox({ ...scope, instance });

/**
 * Pulls one message. Not a request: work arrives under its own subject, and the client's requests are matched by the
 * subject of the reply.
 */
export async function pullOne(nc: NatsConnection, scope: UnitScope, stream: string): Promise<Msg> {
  const reply = `${inboxOf(scope)}.pull.${crypto.randomUUID()}`;
  const pulled = nc.subscribe(reply, { max: 1, timeout: LIMIT_MS });
  nc.publish(`${JS_API_PREFIX}.CONSUMER.MSG.NEXT.${stream}.${WORK_CONSUMER}`, '1', { reply });
  for await (const msg of pulled) return msg;
  throw new Error(`nothing was pulled from ${stream}`);
}
