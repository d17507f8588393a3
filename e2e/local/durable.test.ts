/**
 * Accepted async calls outlive hosts and servers that are killed with -9 (D6).
 *
 * With `sync: default` the server acknowledges what it has written into the page cache, which outlives the process but not a
 * loss of power: this test kills processes only. `SINTER_E2E_SYNC=always` runs it with every write forced to the disk.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { app, countBy, edgeOf, eventually, httpTrigger, pause, startSink, withLab } from './harness.ts';
import type { Lab } from './harness.ts';

const CALLS = 2_000;
const WORKERS = 2;
const CONCURRENCY = 16;
const SENDERS = 24;
const KILLS = 9;

const objects = (sink: string) =>
  app({
    functions: {
      // Accepted once it is durable: the key makes sending it again harmless.
      accept: {
        code: async (input, ctx) => {
          const { n } = input as { readonly n: string };
          await ctx.send('work', input, { key: n });
          return n;
        },
        spec: { concurrency: 64 },
      },
      work: {
        code: `export default async (input, ctx) => {
          const answer = await fetch(ctx.env.SINK, { method: 'POST', body: ctx.callId + ' ' + input.n });
          await answer.text();
        };`,
        spec: {
          concurrency: CONCURRENCY,
          env: [{ name: 'SINK', value: sink }],
          scaling: { minInstances: WORKERS },
        },
      },
    },
    edges: [edgeOf('accept~work', { retry: { attempts: 20, backoffSeconds: 1, maxBackoffSeconds: 2 } })],
    workflow: {
      triggers: [httpTrigger('accept', '/'), { ...httpTrigger('work', '/work'), name: 'direct' }],
    },
  });

/** Sends call `n` again, with the same key, until it is accepted. Every second one goes from the gateway straight to `work`. */
async function untilAccepted(lab: Lab, n: number): Promise<void> {
  const until = performance.now() + 60_000;
  const straight = n % 2 === 0;
  const headers = { prefer: 'respond-async', 'idempotency-key': `k${String(n)}` };
  for (;;) {
    const answer = straight
      ? await lab.call('/work', { n: String(n) }, headers)
      : await lab.call('/', { n: String(n) });
    if (answer.status === (straight ? 202 : 200)) return;
    assert.ok(performance.now() < until, `call ${String(n)} is not accepted: ${answer.text}`);
    await pause(50);
  }
}

/** Kills hosts and the server in turn, each as soon as the one before is back at work. */
async function killInTurn(lab: Lab, worked: () => number): Promise<Readonly<Record<string, number>>> {
  const killed: string[] = [];
  for (let i = 0; i < KILLS; i++) {
    const before = worked();
    await eventually(
      'work goes on',
      () => worked() > before + 20,
      30_000,
      () => lab.logs.slice(-5),
    );
    const what = (['work', 'nats-server', 'accept'] as const)[i % 3] ?? 'work';
    const pids = what === 'nats-server' ? [lab.run.parts.servers.pidOf('hub')] : lab.fleetOf(what).pids;
    const pid = pids[Math.floor(Math.random() * pids.length)];
    if (pid === undefined) continue; // on its way back from before
    process.kill(pid, 'SIGKILL');
    killed.push(what);
  }
  return countBy(killed, (k) => k);
}

describe('2,000 async calls while hosts and the server are killed with -9', () => {
  const sync = process.env['SINTER_E2E_SYNC'] === 'always' ? 'always' : 'default';
  it(`loses none, and repeats only what a crash has cut off (sync ${sync})`, async (t) => {
    const sink = await startSink();
    try {
      await withLab({ sync }, async (lab) => {
        await lab.apply(objects(sink.url));
        const startedAt = performance.now();
        const numbers = Array.from({ length: CALLS }, (_, n) => n).values();
        const senders = Array.from({ length: SENDERS }, async () => {
          for (const n of numbers) await untilAccepted(lab, n);
        });
        const killing = killInTurn(lab, () => sink.lines.length);
        const killed = await killing;
        await Promise.all(senders);
        const accepted = performance.now() - startedAt;

        const worked = (): ReadonlySet<string> => new Set(sink.lines.map((l) => l.split(' ')[1] ?? ''));
        await eventually(
          'every accepted call has run',
          () => worked().size === CALLS,
          40_000,
          () => worked().size,
        );
        const repeats = sink.lines.length - CALLS;
        const ids = new Set(sink.lines).size;
        t.diagnostic(
          `killed ${JSON.stringify(killed)}; accepted within ${(accepted / 1e3).toFixed(1)} s, all run within ` +
            `${((performance.now() - startedAt) / 1e3).toFixed(1)} s; ran again: ${String(repeats)}, of these ` +
            `${String(ids - CALLS)} accepted twice`,
        );
        // What one instance had in hand when it died, and what all had when the server forgot their acknowledgements.
        const inHand = CONCURRENCY * ((killed['work'] ?? 0) + WORKERS * (killed['nats-server'] ?? 0));
        assert.ok(repeats <= inHand + SENDERS * KILLS, `${String(repeats)} ran again`);
        const dead = lab.run.figures('lab', 'flow').functions.filter((f) => f.failures > 0);
        assert.deepEqual(dead, []);
      });
    } finally {
      await sink.stop();
    }
  });
});
