import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kubeClient } from './client.ts';
import { elector, LeaseLost, microTime, type Elector } from './elector.ts';
import type { Lease } from './objects.ts';
import { ManualClock, settle, until } from './testClock.ts';
import { scriptedServer, status, type Asked, type ScriptedServer } from './testServer.ts';

/** One Lease, as an API server keeps it: compare-and-set by resourceVersion. `fault` may answer instead. */
class LeaseServer {
  lease: Lease | undefined;
  fault: ((asked: Asked) => boolean) | undefined;
  #version = 0;

  answer(asked: Asked): void {
    if (this.fault?.(asked) === true) return;
    if (asked.method === 'GET') this.#get(asked);
    else this.#put(asked);
  }

  #get(asked: Asked): void {
    if (this.lease === undefined) asked.reply(404, status(404, 'NotFound'));
    else asked.reply(200, this.lease);
  }

  #put(asked: Asked): void {
    const sent = asked.body as Lease;
    const fresh = asked.method === 'POST';
    if (fresh && this.lease !== undefined) asked.reply(409, status(409, 'AlreadyExists'));
    else if (!fresh && sent.metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
      asked.reply(409, status(409, 'Conflict'));
    else asked.reply(fresh ? 201 : 200, this.write(sent));
  }

  write(sent: Lease): Lease {
    this.#version += 1;
    this.lease = { ...sent, metadata: { ...sent.metadata, resourceVersion: String(this.#version) } };
    return this.lease;
  }

  get holder(): string | undefined {
    return this.lease?.spec?.holderIdentity;
  }
}

interface Candidate {
  readonly elector: Elector;
  readonly clock: ManualClock;
  readonly told: string[];
  readonly ended: Promise<string>;
  /** The signal under which it leads. */
  reign: AbortSignal | undefined;
  stop(): void;
  /** Lets its work end by itself. */
  finish(): void;
}

function candidate(server: ScriptedServer, identity: string, timed = false): Candidate {
  const clock = new ManualClock();
  const told: string[] = [];
  const made = elector({
    client: kubeClient({ connection: server.connection, userAgent: identity, ...(timed && { clock }) }),
    namespace: 'sinter-system',
    name: 'sinter-operator',
    identity,
    clock,
    hooks: {
      leading: (leading) => told.push(leading ? 'leads' : 'ends'),
      leader: (leader) => told.push(`sees ${leader}`),
      trouble: (error) => told.push(`trouble ${(error as Error).name}`),
    },
  });
  const ending = new AbortController();
  const finished = Promise.withResolvers<undefined>();
  const one: Candidate = {
    elector: made,
    clock,
    told,
    reign: undefined,
    stop: () => ending.abort(),
    finish: () => finished.resolve(undefined),
    ended: made.run(ending.signal, async (signal) => {
      one.reign = signal;
      const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await Promise.race([aborted, finished.promise]);
    }),
  };
  return one;
}

/** Moves the clock by a retry, and waits until the attempt that this brings is answered. */
async function attempt({ clock }: Candidate, server: ScriptedServer, ms = 2000): Promise<void> {
  await until(() => clock.pendingMs.some((wait) => wait <= ms));
  const before = server.asked.length;
  clock.advance(ms);
  await until(() => server.asked.length > before);
  await until(() => clock.pendingMs.some((wait) => wait <= 2400));
  await settle();
}

test('the first candidate makes the lease, leads, renews, and releases it at the end', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const one = candidate(server, 'one');
  await until(() => one.reign);
  assert.equal(one.elector.leading, true);
  assert.deepEqual(leases.lease?.spec, {
    holderIdentity: 'one',
    leaseDurationSeconds: 15,
    acquireTime: '2026-01-01T00:00:00.000000Z',
    renewTime: '2026-01-01T00:00:00.000000Z',
    leaseTransitions: 0,
  });
  await attempt(one, server);
  assert.equal(leases.lease.spec.renewTime, '2026-01-01T00:00:02.000000Z');
  assert.equal(leases.lease.spec.acquireTime, '2026-01-01T00:00:00.000000Z');
  assert.equal(server.asked.at(-1)?.method, 'PUT', 'a renewal is one request');
  one.stop();
  assert.equal(await one.ended, 'stopped');
  assert.equal(one.reign?.aborted, true);
  assert.equal(leases.holder, '');
  assert.deepEqual(one.told, ['sees one', 'leads', 'ends']);
});

test('a released lease is taken at the next attempt, and the transition counted', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const one = candidate(server, 'one');
  await until(() => one.reign);
  const two = candidate(server, 'two');
  await until(() => two.told.includes('sees one'));
  await attempt(two, server);
  assert.equal(two.reign, undefined);
  one.stop();
  await one.ended;
  await attempt(two, server);
  await until(() => two.reign);
  assert.equal(leases.holder, 'two');
  assert.equal(leases.lease?.spec?.leaseTransitions, 1);
  two.stop();
  await two.ended;
});

test('a dead holder is followed after 15 s of our own watching, whatever its clock said', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const metadata = { namespace: 'sinter-system', name: 'sinter-operator' };
  // Renewed in the year 2000, by its clock: no reason to take it at once.
  const renewTime = microTime(new Date('2000-01-01T00:00:00Z'));
  const spec = {
    holderIdentity: 'dead',
    leaseDurationSeconds: 15,
    renewTime,
    acquireTime: renewTime,
    leaseTransitions: 4,
  };
  leases.write({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec });
  const two = candidate(server, 'two');
  await until(() => two.told.includes('sees dead'));
  for (let waitedMs = 2000; waitedMs < 15_000; waitedMs += 2000) {
    await attempt(two, server);
    assert.equal(two.reign, undefined, `after ${waitedMs} ms`);
  }
  await attempt(two, server);
  await until(() => two.reign);
  assert.equal(leases.lease?.spec?.leaseTransitions, 5);
  two.stop();
  await two.ended;
});

test('who cannot renew stops leading after 10 s: 5 s before anybody may follow', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const one = candidate(server, 'one');
  await until(() => one.reign);
  leases.fault = (asked) => {
    asked.reply(500, status(500, 'InternalError'));
    return true;
  };
  for (let turn = 0; turn < 4; turn += 1) {
    await attempt(one, server);
    assert.equal(one.reign?.aborted, false);
  }
  await until(() => one.clock.pendingMs.some((ms) => ms <= 2000));
  one.clock.advance(1999);
  assert.equal(one.elector.leading, true);
  one.clock.advance(1);
  assert.equal(one.elector.leading, false, 'known by the clock, before any timer');
  assert.equal(await one.ended, 'lost');
  assert.ok(one.reign?.reason instanceof LeaseLost);
});

test('a renewal without an answer does not outlast the reign', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const one = candidate(server, 'one', true);
  await until(() => one.reign);
  leases.fault = () => true;
  let over = false;
  void one.ended.then(() => (over = true));
  let passedMs = 0;
  while (one.elector.leading) {
    await until(() => one.clock.pendingMs.length > 0);
    one.clock.advance(100);
    passedMs += 100;
    await settle();
  }
  assert.equal(passedMs, 10_000);
  await until(() => {
    one.clock.advance(100);
    return over;
  });
  assert.equal(await one.ended, 'lost');
});

test('a slow renewal counts from when it was sent', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const one = candidate(server, 'one');
  await until(() => one.reign);
  const held: Asked[] = [];
  leases.fault = (asked) => held.push(asked) > 0;
  one.clock.advance(2000);
  const renewal = await until(() => held[0]);
  one.clock.advance(5000);
  leases.fault = undefined;
  leases.answer(renewal);
  await until(() => one.clock.pendingMs.length > 0);
  leases.fault = () => true;
  one.clock.advance(4999);
  assert.equal(one.elector.leading, true);
  one.clock.advance(1);
  assert.equal(one.elector.leading, false, '10 s after it was sent, 5 s after it was answered');
  leases.fault = undefined;
  one.stop();
  await one.ended;
});

test('a lease that somebody else took is given up at once', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const one = candidate(server, 'one');
  await until(() => one.reign);
  assert.ok(leases.lease);
  leases.write({ ...leases.lease, spec: { ...leases.lease.spec, holderIdentity: 'thief' } });
  await attempt(one, server);
  assert.equal(one.reign?.aborted, false, 'the conflict alone says nothing');
  one.clock.advance(2000);
  assert.equal(await one.ended, 'lost');
  assert.equal(leases.holder, 'thief', 'and it is not released under the other');
});

test('a conflict from somebody who only annotated the lease costs one attempt', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const one = candidate(server, 'one');
  await until(() => one.reign);
  assert.ok(leases.lease);
  leases.write({ ...leases.lease, metadata: { ...leases.lease.metadata, annotations: { note: 'x' } } });
  await attempt(one, server);
  await attempt(one, server);
  assert.equal(one.elector.leading, true);
  assert.equal(leases.lease.metadata.annotations?.['note'], 'x');
  assert.equal(leases.lease.spec?.renewTime, '2026-01-01T00:00:04.000000Z');
  one.stop();
  await one.ended;
});

test('two that begin together: one leads', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const both = [candidate(server, 'one'), candidate(server, 'two')];
  await until(() => both.some((each) => each.reign));
  for (const each of both.filter(({ reign }) => reign === undefined)) await attempt(each, server);
  assert.equal(both.filter((each) => each.elector.leading).length, 1);
  for (const each of both) each.stop();
  await Promise.all(both.map((each) => each.ended));
});

test('work that ends by itself releases the lease', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const one = candidate(server, 'one');
  await until(() => one.reign);
  one.finish();
  assert.equal(await one.ended, 'done');
  assert.equal(leases.holder, '');
});

test('work that fails is told to who runs it, with the lease released', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  const client = kubeClient({ connection: server.connection, userAgent: 'test' });
  const made = elector({ client, namespace: 'a', name: 'b', identity: 'c', clock: new ManualClock() });
  await assert.rejects(
    made.run(new AbortController().signal, () => Promise.reject(new Error('boom'))),
    /boom/,
  );
  assert.equal(leases.holder, '');
});

test('a candidate that never led ends when told', async () => {
  const leases = new LeaseServer();
  await using server = await scriptedServer((asked) => leases.answer(asked));
  leases.fault = (asked) => {
    asked.reply(403, status(403, 'Forbidden'));
    return true;
  };
  const one = candidate(server, 'one');
  await until(() => one.told.includes('trouble ApiError'));
  one.stop();
  assert.equal(await one.ended, 'stopped');
});

test('times that cannot work are refused', () => {
  const client = kubeClient({
    connection: {
      server: 'http://127.0.0.1:1',
      namespace: 'a',
      identity: () => Promise.reject(new Error('unused')),
    },
    userAgent: 'test',
  });
  assert.throws(
    () => elector({ client, namespace: 'a', name: 'b', identity: 'c', leaseMs: 5000 }),
    /retryMs 2000 < renewMs 10000 < leaseMs 5000/,
  );
});
