/** A unit over a real bus: routes that change while it starts and stops, async work and what is recorded of it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import { Caller, Session, sendWork } from '@sinter/bus';
import {
  CALLS_BUCKET,
  CONTRACT_VERSION,
  callKey,
  encodeValue,
  kvStream,
  kvSubject,
  newId,
  unitInbox,
} from '@sinter/contract';
import type { CallRecord, Observation, RouteRecord, RouteRevision, UnitScope } from '@sinter/contract';
import { listenToInstances } from '../../../operator/src/bus/listen.ts';
import { putModule } from '../../../operator/src/bus/modules.ts';
import {
  hubManager,
  provisionAsync,
  provisionBuckets,
  provisionNamespace,
} from '../../../operator/src/bus/provision.ts';
import { openRoutes } from '../../../operator/src/bus/routes.ts';
import type { RouteBook } from '../../../operator/src/bus/routes.ts';
import { startTestBus } from '../../../operator/src/local/nats/testBus.ts';
import { Unit } from '../src/unit.ts';

const NAMESPACE = 'ns';
const LIMIT_MS = 8_000;

const CODE = {
  // Long enough in loading that a route can change meanwhile.
  work: `await new Promise((r) => setTimeout(r, 300));
    export default async (input) => {
      if (input === 'fail') throw new Error('as asked');
      if (typeof input === 'number') await new Promise((r) => setTimeout(r, input));
      return { did: input };
    };`,
};

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${String(LIMIT_MS)} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let bus: Awaited<ReturnType<typeof startTestBus>>;
let nc: NatsConnection;
let book: RouteBook;
let sha256: string;

before(async () => {
  bus = await startTestBus();
  nc = await bus.connectOperator();
  await provisionBuckets(nc);
  await provisionNamespace(nc, NAMESPACE);
  book = await openRoutes(nc);
  ({ sha256 } = await putModule(nc, NAMESPACE, Buffer.from(CODE.work)));
});
after(async () => {
  await bus.stop();
});

let worlds = 0;

/** A workflow with one function `work` in one unit, its route in hand, and a caller with the rights of a gateway. */
async function world() {
  const w = { namespace: NAMESPACE, workflow: `wf${String(++worlds)}` };
  await provisionAsync(nc, w, [{ fn: 'work' }]);
  const revisionOf = (unit: string): RouteRevision => ({
    units: [
      {
        name: unit,
        functions: [
          {
            name: 'work',
            served: true,
            async: true,
            concurrency: 16,
            timeoutSeconds: 5,
            memoryBytes: 64 * 1024 * 1024,
            artifacts: [
              { architecture: 'amd64', name: 'js', type: 'JavaScript', isolation: 'Worker', sha256 },
            ],
          },
        ],
      },
    ],
    edges: [],
  });
  let sequence = 0;
  let generation = 0;
  const route = async (
    current: string,
    draining: readonly string[] = [],
    over: Partial<RouteRecord> = {},
  ): Promise<void> => {
    const revisions = Object.fromEntries([current, ...draining].map((hash) => [hash, revisionOf('unit')]));
    const record: RouteRecord = {
      ...w,
      version: CONTRACT_VERSION,
      generation: ++generation,
      current,
      draining,
      revisions,
      ...over,
    };
    const written = await book.routes.write(record, sequence);
    if (written.kind === 'Conflict') assert.fail('somebody else wrote');
    ({ sequence } = written);
  };
  const problems: string[] = [];
  const start = (instance: string, unit = 'unit'): Promise<Unit> => {
    const scope: UnitScope = { ...w, unit, functions: ['work'], edges: [], asyncFunctions: ['work'] };
    const { jwt, seed } = bus.signUnit(scope);
    return Unit.start({
      bootstrap: {
        servers: [bus.urlOf('hub')],
        credential: { jwt, seed },
        machine: 'm',
        architecture: 'amd64',
        instance,
        unit: scope,
      },
      environments: new Map(),
      clock: performance,
      wallClock: Date.now,
      log: (level, message, more = {}) => {
        if (level === 'error' && !('function' in more)) problems.push(message);
      },
    });
  };
  const entry: UnitScope = {
    ...w,
    unit: 'entry',
    functions: ['entry'],
    edges: [{ from: 'entry', to: 'work', call: 'Sync' }],
    asyncFunctions: [],
  };
  const session = await Session.open({
    servers: [bus.urlOf('hub')],
    credential: bus.signUnit(entry),
    inbox: unitInbox({ ...entry, instance: 'e1' }),
    name: 'entry',
  });
  const caller = new Caller(session, performance);
  const call = async (under: string, input: unknown, timeoutMs = 5_000): Promise<string> => {
    const callId = newId();
    const head = { callId, rootId: callId, caller: 'entry', hops: 0 };
    const callee = { ...w, revision: under, function: 'work' };
    const outcome = await caller.call(callee, head, encodeValue(input), { timeoutMs });
    return outcome.ok ? Buffer.from(outcome.payload.bytes).toString() : outcome.error.code;
  };
  const gateway = await Session.open({
    servers: [bus.urlOf('hub')],
    credential: bus.signGateway(),
    inbox: `_INBOX._gw.g${String(worlds)}`,
    name: 'gateway',
  });
  const send = async (input: unknown): Promise<string> => {
    const callId = newId();
    const head = { callId, rootId: callId, revision: '', caller: '_gateway', hops: 0 };
    const payload = encodeValue(input);
    await sendWork(gateway, performance, {
      workflow: w,
      function: 'work',
      head,
      payload,
      durability: 'AtLeastOnce',
    });
    return callId;
  };
  const recordOf = async (callId: string): Promise<CallRecord | undefined> => {
    const jsm = await hubManager(nc);
    const subject = kvSubject(CALLS_BUCKET, callKey(w, callId));
    const found = await jsm.direct.getMessage(kvStream(CALLS_BUCKET), { last_by_subj: subject });
    return found?.json<CallRecord>();
  };
  const end = async (...units: readonly Unit[]): Promise<void> => {
    await Promise.all(units.map((u) => u.stop(5_000)));
    await Promise.all([session.close(), gateway.close()]);
  };
  return { w, route, revisionOf, start, call, send, recordOf, problems, end };
}

describe('a unit', { concurrency: 3 }, () => {
  it('that hears of a new route while it loads serves under that too', async () => {
    const t = await world();
    await t.route('r1');
    const starting = t.start('i1');
    await new Promise((resolve) => setTimeout(resolve, 150));
    await t.route('r2', ['r1']);
    const unit = await starting;
    assert.deepEqual(await Promise.all([t.call('r1', 'a'), t.call('r2', 'b')]), [
      '{"did":"a"}',
      '{"did":"b"}',
    ]);
    await t.route('r2');
    await until('it left the old revision', async () => (await t.call('r1', 'c', 50)) === 'Overloaded');
    assert.equal(await t.call('r2', 'd'), '{"did":"d"}');
    await t.end(unit);
    assert.deepEqual(t.problems, []);
  });

  it('that stops finishes what it accepted, and takes nothing new, whatever the route says', async () => {
    const t = await world();
    await t.route('r1');
    const unit = await t.start('i1');
    assert.equal(await t.call('r1', 'warm'), '{"did":"warm"}');
    const long = t.call('r1', 800);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const stopped = unit.stop(5_000);
    await t.route('r2', ['r1']);
    assert.equal(await t.call('r2', 'late', 200), 'Overloaded');
    assert.equal(await long, '{"did":800}');
    await stopped;
    await t.end();
  });

  it('that replaces another loses no call', async () => {
    const t = await world();
    await t.route('r1');
    let unit = await t.start('i0');
    const got: string[] = [];
    let on = true;
    const calling = Array.from({ length: 8 }, async () => {
      while (on) got.push(await t.call('r1', 20));
    });
    for (let i = 1; i <= 2; i++) {
      const next = await t.start(`i${String(i)}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
      await unit.stop(5_000);
      unit = next;
    }
    on = false;
    await Promise.all(calling);
    assert.deepEqual([...new Set(got)], ['{"did":20}']);
    assert.ok(got.length > 100, String(got.length));
    await t.end(unit);
  });

  it('of a candidate pulls async work while it has a share, as a root under its own revision', async () => {
    const t = await world();
    const seen: Observation[] = [];
    const listening = listenToInstances(nc, {
      onAnnouncement: () => undefined,
      onObservation: (o) => {
        if (o.workflow === t.w.workflow) seen.push(o);
      },
    });
    const ranUnder = (unit: string): ReadonlySet<string> =>
      new Set(seen.filter((o) => o.unit === unit).flatMap((o) => o.functions.map((f) => f.revision)));
    const revisions = { r1: t.revisionOf('unit'), r2: t.revisionOf('tried') };
    const trying = (weightPercent: number): Promise<void> =>
      t.route('r1', [], { candidate: 'r2', weightPercent, revisions });
    await trying(0);
    const tried = await t.start('i2', 'tried');
    const early = await t.send('early');
    await new Promise((resolve) => setTimeout(resolve, 300)); // nothing may come, so there is nothing to wait for
    assert.equal((await t.recordOf(early))?.state, undefined, 'without a share it takes nothing');
    await trying(5);
    await until('with one it does', async () => (await t.recordOf(early))?.state === 'Succeeded');
    await until('that is told', () => ranUnder('tried').size > 0);
    assert.deepEqual(ranUnder('tried'), new Set(['r2']));
    const current = await t.start('i1');
    await t.route('r1', ['r2'], { revisions });
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // what it had asked for before may still come
    const late = await Promise.all(Array.from({ length: 20 }, () => t.send('late')));
    for (const id of late) await until('it ran', async () => (await t.recordOf(id))?.state === 'Succeeded');
    await until('that is told', () => ranUnder('unit').size > 0);
    assert.deepEqual(ranUnder('unit'), new Set(['r1']));
    await t.end(tried, current);
    listening.stop();
    const executions = seen.flatMap((o) => (o.unit === 'tried' ? o.functions : []));
    assert.equal(
      executions.reduce((n, f) => n + f.executions, 0),
      1,
      'withdrawn, it takes nothing more',
    );
  });

  it('records of async work of an entry how it ends, before that is acknowledged', async () => {
    const t = await world();
    await t.route('r1');
    const unit = await t.start('i1');
    const [good, bad] = await Promise.all([t.send('x'), t.send('fail')]);
    await until('it succeeded', async () => (await t.recordOf(good))?.state === 'Succeeded');
    const done = await t.recordOf(good);
    assert.deepEqual(
      [done?.result, done?.contentType, done?.attempts],
      ['{"did":"x"}', 'application/json', 1],
    );
    await until('it runs', async () => (await t.recordOf(bad))?.state === 'Running');
    await t.end(unit);
    assert.deepEqual(t.problems, []);
  });
});
