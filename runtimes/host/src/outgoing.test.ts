/** Calls inside the process: under the same terms, and with the same codes, as calls over the bus. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CallError, HOPS_LIMIT } from '@sinter/contract';
import type { Call, CallHead, Payload, RouteEdge, RouteRevision } from '@sinter/contract';
import { Gate, Recorder } from '@sinter/bus';
import type { Caller, Session } from '@sinter/bus';
import { Outgoings } from './outgoing.ts';
import type { Local } from './outgoing.ts';

const PAYLOAD: Payload = { contentType: 'text/plain', bytes: Buffer.from('x') };
const HEAD: CallHead = {
  callId: 'c',
  rootId: 'root',
  revision: 'r1',
  caller: '_gateway',
  attempt: 1,
  timeoutMs: 60_000,
  hops: 1,
  traceparent: 'trace',
};
const never = new AbortController().signal;

/** Nothing here leaves the process: who is asked to would fail. */
const offTheBus = {} as unknown as Session & Caller;

function rig(run: Local['run'], edge: Partial<RouteEdge> = {}, concurrency = 1) {
  const gate = new Gate(concurrency, performance);
  const recorder = new Recorder(0);
  const fn = (name: string) => ({
    name,
    served: false,
    async: false,
    concurrency,
    timeoutSeconds: 30,
    memoryBytes: 0,
    artifacts: [],
  });
  const revision: RouteRevision = {
    units: [{ name: 'u', functions: [fn('a'), fn('b')] }],
    edges: [{ from: 'a', to: 'b', call: 'Sync', ...edge }],
  };
  const outgoings = new Outgoings({
    session: offTheBus,
    caller: offTheBus,
    clock: performance,
    workflow: { namespace: 'n', workflow: 'w' },
    machine: 'm',
    recorder,
    revision: (hash) => (hash === 'r1' ? revision : undefined),
    local: (name) => (name === 'b' ? { gate, run } : undefined),
    log: () => undefined,
  });
  const call = (
    options: {
      timeoutMs?: number;
      signal?: AbortSignal;
      to?: string;
      head?: Partial<CallHead>;
      leftMs?: number;
    } = {},
  ): Promise<Payload> => {
    const { timeoutMs, signal = never, to = 'b', head = {}, leftMs = 60_000 } = options;
    const outgoing = outgoings.of('a', { ...HEAD, ...head }, performance.now() + leftMs);
    return outgoing.call(to, PAYLOAD, { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  };
  return { gate, recorder, call, outgoings };
}

const retry = { attempts: 3, on: ['FunctionFailed' as const], backoffSeconds: 0.02, maxBackoffSeconds: 1 };

describe('a call inside the process', () => {
  it('goes on under the same root and revision, a hop further', async () => {
    const seen: Call[] = [];
    const { call, recorder } = rig((c) => {
      seen.push(c);
      return Promise.resolve(PAYLOAD);
    });
    assert.equal(await call(), PAYLOAD);
    const head = seen[0]?.head;
    assert.deepEqual(
      [head?.rootId, head?.revision, head?.caller, head?.hops, head?.attempt, head?.traceparent],
      ['root', 'r1', 'a', 2, 1, 'trace'],
    );
    assert.notEqual(head?.callId, 'c');
    const at = { machine: 'm', architecture: 'amd64', routeGeneration: 1, memoryBytes: 0 };
    const key = { namespace: 'n', workflow: 'w', unit: 'u', instance: 'i' };
    assert.deepEqual(
      recorder.take(key, at, 1).edges.map((e) => [e.channel, e.calls]),
      [['InProcess', 1]],
    );
  });

  it('has no more time than its caller, its edge and its own wish give it', async () => {
    const times: number[] = [];
    const run: Local['run'] = (c) => {
      times.push(c.head.timeoutMs);
      return Promise.resolve(PAYLOAD);
    };
    await rig(run).call({ leftMs: 500 });
    await rig(run, { timeoutSeconds: 2 }).call();
    await rig(run, { timeoutSeconds: 2 }).call({ timeoutMs: 100 });
    await rig(run).call();
    for (const [i, limit] of [500, 2_000, 100, 30_000].entries()) {
      const ms = times[i] ?? 0;
      assert.ok(ms <= limit && ms > limit - 50, `${String(ms)} of ${String(limit)}`);
    }
  });

  it('spends what it waits in line', async () => {
    let given = 0;
    const { call, gate } = rig((c) => {
      given = c.head.timeoutMs;
      return Promise.resolve(PAYLOAD);
    });
    gate.enter(never);
    setTimeout(() => {
      gate.leave();
    }, 200);
    await call({ timeoutMs: 1_000 });
    assert.ok(given <= 805 && given > 500, String(given));
    assert.equal(gate.load, 0);
  });

  it('is Overloaded when there is no room in its time, and leaves the line', async () => {
    const { call, gate } = rig(() => Promise.resolve(PAYLOAD));
    gate.enter(never);
    await assert.rejects(call({ timeoutMs: 50 }), { code: 'Overloaded' });
    assert.equal(gate.load, 1);
  });

  it('is cancelled in line, and between attempts, at once', async () => {
    const inLine = rig(() => Promise.resolve(PAYLOAD));
    inLine.gate.enter(never);
    const signal = AbortSignal.timeout(30);
    await assert.rejects(inLine.call({ signal }), { code: 'Cancelled' });
    assert.equal(inLine.gate.load, 1);
    const slowly = { ...retry, backoffSeconds: 5, maxBackoffSeconds: 5 };
    const between = rig(() => Promise.reject(new CallError('FunctionFailed', 'no')), { retry: slowly });
    const startedAt = performance.now();
    await assert.rejects(between.call({ signal: AbortSignal.timeout(30) }), { code: 'Cancelled' });
    assert.ok(performance.now() - startedAt < 4_000);
  });

  it('is tried again as its edge says, under the same id', async () => {
    const seen: [string, number][] = [];
    const { call } = rig(
      (c) => {
        seen.push([c.head.callId, c.head.attempt]);
        return c.head.attempt < 3
          ? Promise.reject(new CallError('FunctionFailed', 'no'))
          : Promise.resolve(PAYLOAD);
      },
      { retry },
    );
    await call();
    assert.deepEqual(
      seen.map(([, attempt]) => attempt),
      [1, 2, 3],
    );
    assert.equal(new Set(seen.map(([id]) => id)).size, 1);
  });

  it('is not tried again for what its edge does not name', async () => {
    let runs = 0;
    const { call } = rig(
      () => {
        runs += 1;
        return Promise.reject(new CallError('QuotaExceeded', 'no'));
      },
      { retry },
    );
    await assert.rejects(call(), { code: 'QuotaExceeded' });
    assert.equal(runs, 1);
  });

  it('ends where a chain is too long', async () => {
    const { call, gate } = rig(() => Promise.resolve(PAYLOAD));
    await assert.rejects(call({ head: { hops: HOPS_LIMIT - 1 } }), { code: 'TooManyHops' });
    assert.equal(gate.load, 0);
  });

  it('needs a declared edge of its kind, and the error says which', async () => {
    const { call, outgoings } = rig(() => Promise.resolve(PAYLOAD));
    await assert.rejects(call({ to: 'c' }), {
      code: 'EdgeNotDeclared',
      message: /add \{from: a, to: c, call: Sync\}/,
    });
    const outgoing = outgoings.of('a', HEAD, Infinity);
    await assert.rejects(outgoing.send('b', PAYLOAD, {}), {
      code: 'EdgeNotDeclared',
      message: /is declared Sync/,
    });
    await assert.rejects(call({ head: { revision: 'gone' } }), {
      code: 'NoSuchFunction',
      message: /not live any more/,
    });
  });
});

describe('what an execution waited for', () => {
  const rigged = () => {
    const open: (() => void)[] = [];
    const { outgoings, recorder } = rig(
      () =>
        new Promise<Payload>((resolve) => {
          open.push(() => {
            resolve(PAYLOAD);
          });
        }),
      {},
      8,
    );
    const asking = outgoings.of('a', HEAD, performance.now() + 60_000);
    const call = (): Promise<Payload> => asking.call('b', PAYLOAD, { signal: never });
    const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));
    return { open, asking, call, turn, recorder };
  };
  const edgeOf = (recorder: Recorder) => {
    const at = { machine: 'm', architecture: 'amd64', routeGeneration: 1, memoryBytes: 0 };
    return recorder.take({ namespace: 'n', workflow: 'w', unit: 'u', instance: 'i' }, at, 1).edges[0];
  };

  it('counts once where calls overlap, and they count as parallel', async () => {
    const { open, asking, call, turn, recorder } = rigged();
    const startedAt = performance.now();
    const calls = [call(), call()];
    await turn();
    open[0]?.();
    await turn();
    const whileOpen = asking.awaitedMs(performance.now());
    open[1]?.();
    await Promise.all(calls);
    const endedAt = performance.now();
    const awaitedMs = asking.awaitedMs(endedAt);
    assert.ok(whileOpen >= 55 && awaitedMs >= whileOpen && awaitedMs <= endedAt - startedAt);
    const edge = edgeOf(recorder);
    assert.deepEqual([edge?.calls, edge?.parallel], [2, 2]);
    assert.deepEqual([edge?.requestBytes, edge?.responseBytes, edge?.answered], [2, 2, 2]);
  });

  it('does not count what lies between calls in turn, and they are not parallel', async () => {
    const { open, asking, call, turn, recorder } = rigged();
    const took: number[] = [];
    for (const i of [0, 1]) {
      const startedAt = performance.now();
      const one = call();
      await turn();
      open[i]?.();
      await one;
      took.push(performance.now() - startedAt);
      await turn();
    }
    const awaitedMs = asking.awaitedMs(performance.now());
    const most = took.reduce((a, b) => a + b);
    assert.ok(awaitedMs >= 55 && awaitedMs <= most, JSON.stringify({ awaitedMs, took }));
    assert.equal(edgeOf(recorder)?.parallel, 0);
  });
});
