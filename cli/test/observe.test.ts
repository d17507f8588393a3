/** `sinter observe`: services that really run, from their spans to what sharing processes would save; and files that are none. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { explainSnapshot } from '../src/commands/explainSnapshot.ts';
import { observeCommand } from '../src/commands/observe.ts';
import type { ObserveOptions } from '../src/commands/observe.ts';
import { Refusal } from '../src/exit.ts';
import type { Savings } from '../src/savings.ts';
import { widthOf } from '../src/text/layout.ts';
import { folderWith, keptTerminal, sinter } from './sinter.ts';
import type { KeptTerminal } from './sinter.ts';

const SERVICES = fileURLToPath(new URL('../../examples/observed/services.mjs', import.meta.url));
const WAY_MS = 5;
const CALLS = 25;

type Ran = KeptTerminal & { readonly code: number };

async function observed(text: string, options: Partial<ObserveOptions> = {}): Promise<Ran> {
  const terminal = keptTerminal(text);
  const all = {
    spans: '-',
    snapshot: undefined,
    name: 'shop',
    grain: 'Operation' as const,
    json: false,
    ...options,
  };
  return { ...terminal, code: await observeCommand(all, terminal) };
}

async function explained(text: string, json = false, workflow?: string): Promise<Ran> {
  const terminal = keptTerminal(text);
  const code = await explainSnapshot({ snapshot: '-', workflow, namespace: undefined, json }, terminal);
  return { ...terminal, code };
}

interface ObservedJson {
  readonly spans: number;
  readonly traces: number;
  readonly functions: readonly { readonly name: string }[];
  readonly savings: Savings;
  readonly assumptions: readonly string[];
  readonly snapshot: {
    readonly workflow: {
      readonly spec: { readonly edges: readonly { from: string; to: string; call: string }[] };
    };
    readonly observations: {
      readonly edges: readonly {
        from: string;
        to: string;
        samples: number;
        parallel: number;
        callsPerExecution: number;
        overheadMs: Record<string, number>;
      }[];
      readonly functions: readonly { function: string; samples: number; waitingMs: number }[];
    };
  };
}

describe('services that run', { timeout: 120_000 }, () => {
  let spans = '';
  let json: ObservedJson;
  before(async () => {
    const args = [SERVICES, '--calls', String(CALLS), '--way-ms', String(WAY_MS)];
    spans = (await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 })).stdout;
    json = JSON.parse((await observed(spans, { json: true })).out.text) as ObservedJson;
  });

  it('the graph is the one that was called', () => {
    assert.deepEqual(
      json.snapshot.workflow.spec.edges.map((e) => `${e.from} ${e.call} ${e.to}`),
      ['price Sync currency', 'shop Sync cart', 'shop Async mail', 'shop Sync payment', 'shop Sync price'],
    );
    assert.deepEqual([json.functions.length, json.traces], [6, 2 * CALLS]);
  });

  it('every execution is counted, and calls have the way that they have', () => {
    const { edges, functions } = json.snapshot.observations;
    const samples = Object.fromEntries(functions.map((row) => [row.function, row.samples]));
    assert.deepEqual(samples, {
      cart: CALLS,
      currency: 3 * CALLS,
      mail: CALLS,
      payment: CALLS,
      price: 3 * CALLS,
      shop: CALLS,
    });
    const prices = edges.find((e) => e.to === 'price');
    assert.deepEqual([prices?.callsPerExecution, prices?.parallel], [3, 1]);
    for (const edge of edges.filter((e) => e.to !== 'mail'))
      assert.ok(
        (edge.overheadMs['Node'] ?? 0) >= WAY_MS - 1,
        `${edge.to}: ${JSON.stringify(edge.overheadMs)}`,
      );
    // The bank and the database have no spans of their own: what they took is waiting.
    const waiting = Object.fromEntries(functions.map((row) => [row.function, row.waitingMs]));
    assert.ok((waiting['payment'] ?? 0) >= 5 && (waiting['cart'] ?? 0) >= 2, JSON.stringify(waiting));
    assert.ok((waiting['price'] ?? 99) < 1, JSON.stringify(waiting));
  });

  it('fusing saves the ways, processes and money; deferring what need not be waited for', () => {
    const { running, fusing, pairs, deferring, error, moving } = json.savings;
    const together = fusing.groups.find((group) => group.includes('shop')) ?? [];
    assert.ok(together.includes('price') && together.includes('currency'), JSON.stringify(fusing));
    // From the shop to the currency a call has two ways, and the model is not to promise less than half of that.
    assert.ok(fusing.saved.latencyMs > WAY_MS && fusing.saved.latencyMs < running.latencyMs);
    assert.ok(fusing.saved.memoryBytes >= 45e6 && fusing.saved.cost > 0);
    assert.deepEqual(pairs.map((pair) => pair.about).sort(), [
      'price → currency',
      'shop → cart',
      'shop → mail',
      'shop → payment',
      'shop → price',
    ]);
    assert.equal(deferring.length, 4);
    assert.ok(deferring.every(({ saved }) => saved.latencyMs > 0));
    assert.ok(error && error.measuredMs > 3 * WAY_MS && error.share < 5);
    assert.equal(moving, undefined, 'they are on one machine');
  });

  it('observe and explain say the same, within 100 columns', async () => {
    await using folder = await folderWith({ 'spans.jsonl': spans });
    const [file, out] = [join(folder.path, 'spans.jsonl'), join(folder.path, 's.json')];
    const ran = await sinter(['observe', file, '--snapshot', out, '--name', 'shop']);
    assert.deepEqual([ran.code, ran.err], [0, '']);
    const snapshot = await readFile(out, 'utf8');
    const explain = await explained(snapshot);
    assert.equal(explain.code, 0);
    const said = (text: string): string =>
      text.slice(text.indexOf('what would be saved'), text.indexOf('each function is taken')).trim();
    assert.ok(said(ran.out).includes('fusing {'), ran.out);
    assert.equal(said(explain.out.text), said(ran.out));
    for (const line of [...ran.out.split('\n'), ...explain.out.text.split('\n')])
      assert.ok(widthOf(line) <= 100 || line.includes(folder.path), line);
    assert.match(ran.out, /^ {2}- spans have no CPU time/m);
    assert.match(ran.out, /model {6}says .* it is\s+wrong by/);
    assert.match(explain.out.text, /^ {2}Rollout: .* {2}PolicyObserves$/m);
    assert.match(explain.out.text, /^edge shop → price\n {2}Fusion: Apart {2}PolicyObserves$/m);
    const plan = await sinter(['plan', '--snapshot', out, '--exit-code']);
    assert.ok(plan.code === 0 || plan.code === 6, plan.err);
    assert.match(plan.out, /^6 functions in 6 units/m);
    const asJson = JSON.parse((await explained(snapshot, true)).out.text) as {
      savings: Savings;
      plan: object;
    };
    assert.deepEqual(asJson.savings, json.savings);
    await assert.rejects(
      explained(snapshot, false, 'other'),
      (cause) =>
        cause instanceof Refusal && /is of workflow default\/shop, not of default\/other/.test(cause.message),
    );
  });

  it('on two machines, moving closer is a saving of its own', async () => {
    const moved = spans
      .split('\n')
      .map((line, i) => line.replace(/("host.name","value":\{"stringValue":")[^"]*/, `$1m${String(i % 3)}`));
    const { out } = await observed(moved.join('\n'), { json: true });
    const { savings } = JSON.parse(out.text) as ObservedJson;
    assert.ok(savings.moving && savings.moving.saved.latencyMs > 0, JSON.stringify(savings.moving));
  });

  it('a file that is cut off says so, and one that is none is refused', async () => {
    const cut = await observed(spans.slice(0, -300));
    assert.equal(cut.code, 0);
    assert.match(cut.out.text, /the last line is cut off in the middle/);
    const none = await observed(spans.slice(0, 300));
    assert.deepEqual([none.code, none.out.text], [1, '']);
    assert.match(none.err.text, /^error standard input \(BadSpans\)\n/);
    const asJson = JSON.parse((await observed('{}', { json: true })).out.text) as {
      problems: { message: string }[];
    };
    assert.match(asJson.problems[0]?.message ?? '', /must have resourceSpans/);
  });
});

it('what cannot be opened or named is said', async () => {
  const missing = await sinter(['observe', '/no/such/file']);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /^error: '\/no\/such\/file' cannot be read \(ENOENT\)/);
  for (const words of [
    ['observe'],
    ['observe', 'x', '--by', 'host'],
    ['explain'],
    ['explain', '--snapshot', 'x', '--run', '1'],
  ])
    assert.equal((await sinter(words)).code, 2, words.join(' '));
  const trace = {
    traceId: '1',
    spanId: '2',
    kind: 2,
    name: 'x',
    startTimeUnixNano: '0',
    endTimeUnixNano: '1',
  };
  const one = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [trace] }] }] });
  const badName = await observed(one, { name: 'No Name' });
  assert.equal(badName.code, 1);
  assert.match(badName.err.text, /workflow\.name: 'No Name'/);
});
