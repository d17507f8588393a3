/**
 * The standard functions of the conformance suite: written once as JavaScript, and as WASM where a command can do it.
 *
 * Owns: their code. What is expected of them is `cases.ts`'s. Each says in its text all that it does, because it runs in a
 * host that knows nothing of the suite. `front` is the caller: it runs a script, so that values are made and seen where
 * functions make and see them.
 */
import { readFile } from 'node:fs/promises';

export type ArtifactType = 'JavaScript' | 'Wasm';

export interface StandardFunction {
  readonly name: string;
  readonly javascript: string;
  /** Name of the module in `wasm/`; absent: a WASI command cannot do this. */
  readonly wasm?: string;
  readonly timeoutSeconds: number;
  readonly concurrency: number;
  readonly memoryBytes: number;
}

const MB = 1024 * 1024;

const define = (
  name: string,
  javascript: string,
  more: Partial<Omit<StandardFunction, 'name' | 'javascript'>> = {},
): StandardFunction => ({
  name,
  javascript,
  timeoutSeconds: 30,
  concurrency: 256,
  memoryBytes: 64 * MB,
  ...more,
});

/** Runs a script: `Script` in, a list of `Told` out. */
const FRONT = `
const make = (v, n) => {
  switch (v.kind) {
    case 'Json': return structuredClone(v.value);
    case 'Text': return v.text;
    case 'Bytes': return Uint8Array.from(v.bytes);
    case 'FillBytes': return new Uint8Array(v.size).fill(7);
    case 'FillText': return 'x'.repeat(v.size);
    case 'Undefined': return undefined;
    case 'Number': return { n };
    default: throw new Error('unknown kind ' + v.kind);
  }
};
const tell = (v) => {
  if (v instanceof Uint8Array)
    return v.length > 1000
      ? { kind: 'Bytes', size: v.length, sum: v.reduce((a, b) => a + b, 0) }
      : { kind: 'Bytes', bytes: [...v] };
  if (typeof v === 'string') return v.length > 1000 ? { kind: 'Text', size: v.length } : { kind: 'Text', text: v };
  return { kind: 'Json', value: v };
};
export default async ({ to, input, timeoutSeconds, abortAfterMs, times }, ctx) => {
  const one = async (n) => {
    const value = make(input, n);
    const abort = new AbortController();
    const options = { signal: abort.signal, ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) };
    const startedAt = performance.now();
    const asked = ctx.call(to, value, options);
    if (abortAfterMs !== undefined) setTimeout(() => abort.abort(), abortAfterMs);
    const answer = await asked.then(
      (got) => ({ ok: true, got: tell(got) }),
      (e) => ({ ok: false, name: e.name, code: e.code, reason: e.reason, function: e.function, message: e.message }),
    );
    return { ...answer, sent: tell(value ?? null), ms: performance.now() - startedAt };
  };
  return await Promise.all(Array.from({ length: times ?? 1 }, (_, n) => one(n)));
};`;

/** Sleeps for as many milliseconds as its input says, and remembers who was told to stop; 'stopped' asks for these. */
const SLOW = `
const stopped = [];
export default async (input, ctx) => {
  if (input === 'stopped') return stopped;
  const { ms, name } = typeof input === 'number' ? { ms: input } : input;
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    ctx.signal.addEventListener('abort', () => { stopped.push(name ?? ''); clearTimeout(timer); resolve(); });
  });
  return input;
};`;

/** Counts how often it ran for each call id; 'counts' asks for the highest, and how many ids there are. */
const COUNT = `
const runs = new Map();
export default (input, ctx) => {
  if (input === 'counts') return { ids: runs.size, most: Math.max(0, ...runs.values()) };
  runs.set(ctx.callId, (runs.get(ctx.callId) ?? 0) + 1);
  return input;
};`;

const MUTATE = `
export default (input) => {
  if (input instanceof Uint8Array) input.fill(0);
  else { input.inner.list.push('added'); delete input.kept; }
  return input;
};`;

const ODD = `
const values = {
  undefined: () => undefined, null: () => null, NaN: () => NaN, BigInt: () => ({ a: [1n] }),
  cycle: () => { const o = {}; o.self = o; return o; }, map: () => new Map([[1, 2]]), promise: () => ({ p: Promise.resolve(1) }),
  date: () => new Date(0), zero: () => -0, holes: () => [, 1], function: () => () => 1, surrogate: () => '\\ud800',
  dropped: () => ({ a: undefined, b: 1 }),
};
export default (name) => values[name]();`;

const THROWS = `
const things = {
  string: 'just text', undefined: undefined, null: null, number: 5, object: { a: 1 },
  bare: Object.create(null), error: new TypeError('of a type'), long: new Error('y'.repeat(9000)),
};
export default (name) => { throw things[name]; };`;

const chained = (next: string): string =>
  `export default async (input, ctx) => [...await ctx.call('${next}', [...input, '${next}']), 'back'];`;

export const FUNCTIONS: readonly StandardFunction[] = [
  define('front', FRONT),
  define('echo', 'export default (input) => input;', { wasm: 'echo', concurrency: 8 }),
  define('fail', "export default () => { throw new Error('no way, said the function'); };", { wasm: 'fail' }),
  define('trap', 'export default (input) => input.does.not.exist;', { wasm: 'trap' }),
  define('slow', SLOW, { wasm: 'slow' }),
  define(
    'loop',
    'export default (input) => { while (input !== null && input.length !== 0); return input; };',
    {
      wasm: 'loop',
      timeoutSeconds: 1,
    },
  ),
  define('grow', 'export default (size) => new Uint8Array(size).fill(7);', { wasm: 'grow' }),
  define(
    'hog',
    'export default () => { const held = []; for (;;) held.push(new Array(100_000).fill({ held })); };',
    { wasm: 'hog', memoryBytes: 32 * MB },
  ),
  define('exit', "export default (how) => { process[how](3); return 'still here'; };"),
  define('count', COUNT),
  define('mutate', MUTATE),
  define('odd', ODD),
  define('throws', THROWS),
  define('chain-a', chained('chain-b')),
  define('chain-b', chained('chain-c')),
  define('chain-c', "export default (input) => [...input, 'end'];"),
  define(
    'fan',
    `export default async (n, ctx) => {
      const got = await Promise.all(Array.from({ length: n }, (_, i) => ctx.call('echo', { i })));
      return got.reduce((sum, { i }) => sum + i, 0);
    };`,
  ),
  define('passing', `export default async (input, ctx) => await ctx.call('slow', input);`),
  define('secret', "export default () => 'told';"),
];

/** Functions that `front` may call; to all others it has no edge. */
const SECRETS: ReadonlySet<string> = new Set(['front', 'secret', 'chain-b', 'chain-c']);

export const EDGES: readonly {
  readonly from: string;
  readonly to: string;
  readonly call: 'Sync' | 'Async';
}[] = [
  ...FUNCTIONS.filter((f) => !SECRETS.has(f.name)).map((f) => ({
    from: 'front',
    to: f.name,
    call: 'Sync' as const,
  })),
  { from: 'chain-a', to: 'chain-b', call: 'Sync' },
  { from: 'chain-b', to: 'chain-c', call: 'Sync' },
  { from: 'fan', to: 'echo', call: 'Sync' },
  { from: 'passing', to: 'slow', call: 'Sync' },
];

/** Functions that stay beside `front` when its callees are in another unit: a chain then crosses over and back. */
export const BESIDE_FRONT: ReadonlySet<string> = new Set(['front', 'chain-b']);

/** The code of a function in the form that is wanted, or in the one that there is. */
export async function moduleOf(
  fn: StandardFunction,
  wanted: ArtifactType,
): Promise<{
  readonly type: ArtifactType;
  readonly bytes: Uint8Array;
}> {
  if (wanted === 'JavaScript' || fn.wasm === undefined)
    return { type: 'JavaScript', bytes: new TextEncoder().encode(fn.javascript) };
  return { type: 'Wasm', bytes: await readFile(new URL(`./wasm/${fn.wasm}.wasm`, import.meta.url)) };
}
