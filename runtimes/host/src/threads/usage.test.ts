/** What threads use, asked of real ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { MB, js, wasm } from './testKit.ts';
import type { Subject } from './testKit.ts';

const WORK = `export default async ({ cpuMs = 0, sleepMs = 0, mb = 0 }) => {
  const { user } = process.threadCpuUsage();
  while (process.threadCpuUsage().user - user < cpuMs * 1000);
  const kept = Buffer.alloc(mb * ${String(MB)}, 1);
  await new Promise((resolve) => setTimeout(resolve, sleepMs));
  return kept.length;
};`;

/** Loaded, and asked once: what comes then is counted. */
async function worker(t: TestContext): Promise<Subject> {
  const f = js(t, WORK, { memoryBytes: 512 * MB });
  await f.invoke({});
  await f.runtime.use();
  return f;
}

test('a function that computes uses CPU and is busy, one that sleeps neither', async (t) => {
  const f = await worker(t);
  const before = await f.runtime.use();
  await f.invoke({ sleepMs: 300 });
  const slept = await f.runtime.use();
  await f.invoke({ cpuMs: 300 });
  const computed = await f.runtime.use();
  const cpu = [slept.cpuMs - before.cpuMs, computed.cpuMs - slept.cpuMs].map(Math.round);
  const busy = [slept.busyMs - before.busyMs, computed.busyMs - slept.busyMs].map(Math.round);
  const seen = JSON.stringify({ cpu, busy });
  assert.ok((cpu[0] ?? 0) < 100 && (cpu[1] ?? 0) >= 290, seen);
  assert.ok((busy[0] ?? 0) < 200 && (busy[1] ?? 0) >= 290, seen);
});

test('the largest memory that was seen is told once', async (t) => {
  const f = await worker(t);
  const call = f.invoke({ mb: 96, sleepMs: 300 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const { memoryBytes } = await f.runtime.use();
  await call;
  assert.ok(memoryBytes > 96 * MB, String(memoryBytes / MB));
});

test('a thread that took the place of another goes on with its sums', async (t) => {
  const f = await worker(t);
  await f.invoke({ cpuMs: 100 });
  const before = await f.runtime.use();
  await f.failure({ cpuMs: 60_000 }, { timeoutMs: 100 });
  await f.invoke({ cpuMs: 100 });
  const after = await f.runtime.use();
  assert.equal(f.runtime.stats.restarts, 1);
  assert.ok(after.cpuMs - before.cpuMs >= 90, JSON.stringify([before, after]));
});

test('a WASM function tells what its instances had, and for how long they slept', async (t) => {
  const f = wasm(t);
  await f.invoke('echo x');
  const { memoryBytes } = await f.runtime.use();
  assert.ok(memoryBytes >= 64 * 1024 && memoryBytes < 64 * MB, String(memoryBytes));
  await f.invoke('sleep 200');
  const { busyMs, sleptMs = 0 } = await f.runtime.use();
  assert.ok(sleptMs >= 195 && busyMs < 200, JSON.stringify({ busyMs, sleptMs }));
  assert.equal((await f.runtime.use()).memoryBytes, 0);
});
