/** What was observed survives an operator, in the real bucket; and a bucket at rest is not written to. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { NatsConnection } from '@nats-io/transport-node';
import { RECORDS_BUCKET, kvStream } from '@sinter/contract';
import type { Observation, RouteRecord, WorkflowKey } from '@sinter/contract';
import { startTestBus } from '../local/nats/testBus.ts';
import { hubManager, provisionBuckets } from './provision.ts';
import { RecordKeeper } from './recordKeeper.ts';
import { openRoutes } from './routes.ts';
import type { RouteBook } from './routes.ts';
import { Sight } from './sight.ts';
import { observation } from './testObservation.ts';

const route = (w: WorkflowKey): RouteRecord => ({
  ...w,
  version: 1,
  generation: 1,
  current: 'r1',
  draining: [],
  revisions: {
    r1: {
      units: [
        {
          name: 'u',
          functions: [
            {
              name: 'a',
              served: true,
              async: false,
              concurrency: 1,
              timeoutSeconds: 1,
              memoryBytes: 1,
              artifacts: [
                { architecture: 'amd64', name: 'js', type: 'JavaScript', isolation: 'Worker', sha256: '' },
              ],
            },
          ],
        },
      ],
      edges: [],
    },
  },
});

const calls = (w: WorkflowKey): Observation =>
  observation(
    { ...w, unit: 'u', instance: 'i' },
    {
      functions: [
        {
          function: 'a',
          revision: 'r1',
          artifact: 'js',
          executions: 10,
          failures: 0,
          runMs: { counts: [], sumMs: 50 },
          repeated: 0,
        },
      ],
    },
  );

describe('what was observed is kept', () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  let nc: NatsConnection;
  let book: RouteBook;
  let nowMs = 1e12;
  let w = { namespace: 'n', workflow: 'w0' };
  const problems: unknown[] = [];
  before(async () => {
    bus = await startTestBus();
    nc = await bus.connectOperator();
    await provisionBuckets(nc);
    book = await openRoutes(nc);
  });
  after(() => bus.stop());
  beforeEach((t) => {
    w = { namespace: 'n', workflow: `w${String(t.name.length)}` };
    problems.length = 0;
  });

  const operator = (records = book.observations) => {
    const machine = { name: 'm1', architecture: 'amd64', tier: 'Cloud' };
    const sight = new Sight({ machine: () => machine, now: () => nowMs });
    const onProblem = (_: WorkflowKey, cause: unknown): void => void problems.push(cause);
    const keeper = new RecordKeeper({ sight, records, clock: () => nowMs, onProblem });
    sight.follow(route(w));
    const executed = (): number => sight.of(w).figures('r1', nowMs).functions[0]?.samples ?? 0;
    return { sight, keeper, executed };
  };
  const written = async (): Promise<number> =>
    (await (await hubManager(nc)).streams.info(kvStream(RECORDS_BUCKET))).state.last_seq;

  it('goes on where another operator ended', async () => {
    const first = operator();
    await first.keeper.round();
    for (let i = 0; i < 20; i++, nowMs += 1_000) first.sight.heard(calls(w));
    const before = first.executed();
    assert.ok(before > 150);
    await first.keeper.round('Last');
    nowMs += 3_600_000;
    const second = operator();
    assert.equal(second.executed(), 0);
    await second.keeper.round();
    assert.equal(second.executed(), before);
    assert.deepEqual(problems, []);
  });

  it('is written once a minute while calls come in, and not at all while none does', async () => {
    const { sight, keeper } = operator();
    const before = await written();
    for (let s = 0; s < 180; s++, nowMs += 1_000) {
      sight.heard(calls(w));
      await keeper.round();
    }
    const busy = (await written()) - before;
    assert.ok(busy >= 2 && busy <= 3, String(busy));
    nowMs += 60_000;
    await keeper.round();
    const last = await written();
    for (let s = 0; s < 600; s += 30, nowMs += 30_000) {
      sight.heard(observation({ ...w, unit: 'u', instance: 'i' }));
      await keeper.round('Last');
    }
    assert.equal(await written(), last);
  });

  it('is not undone by a record of a shorter time', async () => {
    const [short, long] = [operator(), operator()];
    await short.keeper.round();
    short.sight.heard(calls(w));
    await short.keeper.round('Last');
    for (let i = 0; i < 60; i++, nowMs += 1_000) long.sight.heard(calls(w));
    const before = long.executed();
    await long.keeper.round();
    assert.equal(long.executed(), before);
  });

  it('is written over what another leader left in the meantime', async () => {
    const [one, other] = [operator(), operator()];
    for (const { keeper, sight } of [one, other, one, other, one]) {
      await keeper.round('Last');
      sight.heard(calls(w));
      nowMs += 1_000;
      await keeper.round('Last');
      await keeper.round('Last');
    }
    assert.deepEqual(problems, []);
    const { record } = await book.observations.read(w);
    assert.deepEqual(record, JSON.parse(JSON.stringify(one.sight.of(w).toRecord())));
  });

  it('is told when it cannot be kept, and the next round tries again', async () => {
    let away = true;
    const records: RouteBook['observations'] = {
      ...book.observations,
      read: (key) => (away ? Promise.reject(new Error('away')) : book.observations.read(key)),
    };
    const { sight, keeper } = operator(records);
    sight.heard(calls(w));
    await keeper.round('Last');
    assert.equal(problems.length, 1);
    away = false;
    await keeper.round('Last');
    sight.heard(calls(w));
    await keeper.round('Last');
    assert.equal(problems.length, 1);
    assert.ok((await book.observations.read(w)).record);
  });

  it('goes with its workflow', async () => {
    const { sight, keeper } = operator();
    await keeper.round();
    sight.heard(calls(w));
    await keeper.round('Last');
    await keeper.remove(w);
    sight.forget(w);
    assert.equal((await book.observations.read(w)).record, undefined);
    await keeper.remove(w);
  });
});
