/** The small parts: back-off, memory judgement, LEB128, lines, where workers lie; and all of it from one bundle. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { Backoff, PAUSE_LIMIT_MS } from './backoff.ts';
import { LINES_PER_SECOND, bounded } from './jsConsole.ts';
import { LINE_LIMIT, LineSplitter } from './lines.ts';
import { BUFFER_GARBAGE_BYTES, MemoryJudge } from './memoryWatch.ts';
import { leb128, readLeb128 } from './wasmModule.ts';
import { workerUrl } from './workerUrl.ts';

test('pauses double up to a limit, and one success forgets them', () => {
  const backoff = new Backoff();
  assert.equal(backoff.leftMs(0), 0);
  const pauses = Array.from({ length: 9 }, () => {
    backoff.failed(1000);
    return backoff.leftMs(1000);
  });
  assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400, PAUSE_LIMIT_MS, PAUSE_LIMIT_MS]);
  assert.equal(backoff.leftMs(1000 + PAUSE_LIMIT_MS), 0);
  backoff.succeeded();
  assert.equal(backoff.leftMs(1000), 0);
});

test('memory: thrice in a row above the limit, or once far above', () => {
  const samples = (...heaps: readonly number[]): readonly boolean[] => {
    const judge = new MemoryJudge(100);
    return heaps.map((heapBytes) => judge.exceeds({ heapBytes, bufferBytes: 0 }));
  };
  assert.deepEqual(samples(100, 101, 101, 100, 101, 101), [false, false, false, false, false, false]);
  assert.deepEqual(samples(101, 101, 101), [false, false, true]);
  assert.deepEqual(samples(150, 151), [false, true]);
  const judge = new MemoryJudge(100);
  assert.equal(judge.exceeds({ heapBytes: 0, bufferBytes: BUFFER_GARBAGE_BYTES + 150 }), false);
  assert.equal(judge.exceeds({ heapBytes: 1, bufferBytes: BUFFER_GARBAGE_BYTES + 150 }), true);
});

test('LEB128 there and back', () => {
  for (const n of [0, 1, 127, 128, 300, 65_535, 65_536, 2 ** 32 - 1])
    assert.deepEqual(readLeb128(Uint8Array.of(9, ...leb128(n)), 1), {
      value: n,
      nextAt: 1 + leb128(n).length,
    });
  assert.throws(() => readLeb128(new Uint8Array(10).fill(0xff), 0));
});

test('lines across chunks, characters across chunks, and one that does not end', () => {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  const ue = new TextEncoder().encode('ü');
  splitter.push(new TextEncoder().encode('a\nb'));
  splitter.push(ue.subarray(0, 1));
  splitter.push(ue.subarray(1));
  splitter.push(new TextEncoder().encode('\n\nrest'));
  splitter.flush();
  assert.deepEqual(lines, ['a', 'bü', '', 'rest']);
  splitter.push(new Uint8Array(3 * LINE_LIMIT).fill(65));
  assert.equal(lines.length, 5);
  assert.ok((lines[4]?.length ?? 0) < LINE_LIMIT + 50);
});

test('log lines are bounded within each second, and what was dropped is said', () => {
  const said: string[] = [];
  let now = 0;
  const line = bounded(
    (_level, text) => said.push(text),
    () => now,
  );
  for (let i = 0; i < LINES_PER_SECOND + 7; i++) line('info', 'x');
  now = 1_000;
  line('info', 'y');
  assert.deepEqual(said.slice(LINES_PER_SECOND), ['7 log lines were dropped', 'y']);
});

test('workers lie beside the source, or beside the bundle', () => {
  assert.equal(
    workerUrl('jsWorker', 'file:///a/src/threads/workerUrl.ts').pathname,
    '/a/src/threads/jsWorker.ts',
  );
  assert.equal(workerUrl('wasmWorker', 'file:///a/dist/host.js').pathname, '/a/dist/wasmWorker.js');
});

test('bundled into one file each, both kinds of function run', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sinter-threads-'));
  t.after(() => rm(folder, { recursive: true }));
  const main = `
    import { readFileSync } from 'node:fs';
    import { decodeValue, encodeValue } from '@sinter/contract';
    import { startFunction } from './runtime.ts';
    const common = { name: 'f', concurrency: 1, memoryBytes: 64 << 20, env: {} };
    const run = async (spec, input) => {
      const f = startFunction({ ...common, ...spec });
      const output = await f.invoke({ callId: 'c', input: encodeValue(input), timeoutMs: 20000, signal: new AbortController().signal }, {});
      await f.close();
      return decodeValue(output);
    };
    const js = await run({ type: 'JavaScript', module: new TextEncoder().encode('export default (n) => n + 1') }, 1);
    const wasm = await run({ type: 'Wasm', module: readFileSync(process.argv[2]) }, 'echo hi');
    console.log(JSON.stringify([js, wasm]));`;
  const options = {
    bundle: true,
    platform: 'node',
    format: 'esm',
    outdir: folder,
    logLevel: 'silent',
  } as const;
  const here = import.meta.dirname;
  await build({
    ...options,
    stdin: { contents: main, resolveDir: here, loader: 'ts', sourcefile: 'host.ts' },
    entryNames: 'host',
  });
  await build({ ...options, entryPoints: [join(here, 'jsWorker.ts'), join(here, 'wasmWorker.ts')] });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const probe = join(here, 'testModules', 'probe.wasm');
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'host.js'), probe], {
    timeout: 30_000,
  });
  assert.deepEqual(JSON.parse(stdout), [2, 'hi']);
});
