/** The functions by themselves and the manifests around them: right answers, the graph, refusals that help. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { linesOf, refusalOf, withoutClock } from '../../test/inMemory.ts';
import type { Json } from '../../test/inMemory.ts';
import { edgeText, testManifests, workflowOf } from '../../test/manifests.ts';
import { CALLS, NAMES, handlers, inputOf, root, runOf } from './shop.ts';
import type { Call } from './shop.ts';

type Fields = Readonly<Record<string, Json>>;
type Changes = Readonly<Record<string, unknown>>;
const workflow = workflowOf(root);
const outputOf = async (call: Call, changes: Changes = {}): Promise<Fields> =>
  (await runOf(call, changes)).output as Fields;

testManifests(root, 'web-shop', handlers);

test('the graph is exactly the set of calls that all ways in make together', async () => {
  const runs = await Promise.all(NAMES.map((call) => runOf(call)));
  const made = new Set(runs.flatMap(({ calls }) => calls.map(edgeText)));
  assert.deepEqual([...made].toSorted(), workflow.edges.map(edgeText).toSorted());
  const ran = new Set(runs.flatMap(({ executions }) => executions.map((e) => e.function)));
  assert.deepEqual([...ran].toSorted(), [...handlers.keys()]);
});

test('every way in has a trigger', () => {
  const entries = new Set(NAMES.map((call): string => CALLS[call][0]));
  assert.deepEqual(workflow.triggers.map(({ to }) => to).toSorted(), [...entries].toSorted());
});

test('there are seventeen functions, and no policy is named: the default one optimises', () => {
  assert.equal(handlers.size, 17);
  assert.equal(workflow.policyRef, undefined);
});

test('all prices are asked for at once, everything else one after the other', async () => {
  const get = await runOf('get');
  assert.deepEqual([...get.overlapping], ['frontend']);
  assert.equal(get.calls.filter(({ to }) => to === 'currency').length, 11);
  const checkout = await runOf('checkout');
  assert.deepEqual([...checkout.overlapping], ['checkout']);
  assert.equal(checkout.calls.filter(({ to }) => to === 'currency').length, 3, 'two lines and the shipping');
  for (const call of ['cart', 'empty', 'add', 'product', 'search'] as const)
    assert.deepEqual([...(await runOf(call)).overlapping], [], call);
});

test('the kept outputs are what the functions answer', async () => {
  for (const call of NAMES) {
    const kept = readFileSync(new URL(`expected/${call}.jsonl`, root), 'utf8');
    assert.equal(linesOf(await runOf(call)), kept, call);
  }
});

test('the same call gives the same bytes, in another call and without a clock or chance', async () => {
  for (const call of NAMES) {
    const once = await runOf(call);
    const again = await withoutClock(() => runOf(call, {}, 'call-2'));
    assert.equal(linesOf(again), linesOf(once), call);
    assert.equal(new Set([...once.keys, ...again.keys]).size, 2 * once.keys.length, 'keys name the call');
  }
});

describe('the cart, which travels with the call', () => {
  const line = (product: number, quantity: number): Json => ({ product, quantity });
  const RULES: Readonly<Record<string, readonly [Call, Changes, object]>> = {
    'an absent one is empty': ['add', { cart: undefined, product: 2, quantity: 1 }, { cart: [line(2, 1)] }],
    'a product is in it once': [
      'add',
      { cart: [line(2, 1)], product: 2, quantity: 4 },
      { cart: [line(2, 5)] },
    ],
    'it is in order': [
      'add',
      { cart: [line(9, 1)], product: 3, quantity: 1 },
      { cart: [line(3, 1), line(9, 1)] },
    ],
    'a line holds at most 99': [
      'add',
      { cart: [line(2, 90)], product: 2, quantity: 20 },
      { cart: [line(2, 99)] },
    ],
    'buying empties it': ['checkout', {}, { cart: [] }],
    'so does emptying it': ['empty', {}, { cart: [] }],
    'an empty one ships for nothing': ['cart', { cart: [] }, { shipping: { currency: 'USD', cents: 0 } }],
    'a piece costs 75 cents more': [
      'cart',
      { cart: [line(1, 2)] },
      { shipping: { currency: 'USD', cents: 600 } },
    ],
  };
  for (const [rule, [call, changes, expected]] of Object.entries(RULES))
    test(rule, async () => {
      const { output } = await runOf(call, changes);
      assert.partialDeepStrictEqual(output, expected);
    });
});

test('what is paid is the sum of the lines and the shipping, in every currency that is shown', async () => {
  const { currencies } = await outputOf('get');
  for (const currency of currencies as readonly string[]) {
    const { total, lines, shipping } = (await outputOf('checkout', { currency, sieve: 2 })) as {
      readonly [name: string]: Json;
    } & {
      readonly total: { readonly currency: string; readonly cents: number };
      readonly shipping: { readonly cents: number };
      readonly lines: readonly { readonly price: { readonly cents: number } }[];
    };
    const sum = lines.reduce((cents, { price }) => cents + price.cents, shipping.cents);
    assert.deepEqual(total, { currency, cents: sum });
  }
  const { total } = await outputOf('checkout', { currency: 'USD', sieve: 2 });
  assert.deepEqual(total, { currency: 'USD', cents: 224_500 + 2 * 2_433 + 450 + 3 * 75 });
});

test('the three that compute find all primes up to the size', async () => {
  for (const [sieve, primes] of [
    [2, 1],
    [10_000, 1_229],
    [1_000_000, 78_498],
  ] as const) {
    const { executions, output } = await runOf('checkout', { sieve });
    const found = (name: string): Json =>
      (executions.find((e) => e.function === name)?.output as Fields)['primes'] ?? null;
    assert.deepEqual([found('ship-order'), found('email')], [primes, primes]);
    assert.match((output as Fields)['transaction'] as string, new RegExp(`^[0-9a-f]{8}-${String(primes)}$`));
  }
});

test('recommended is what shares most with what is looked at, and never that itself', async () => {
  const recommended = async (product: number): Promise<readonly Json[]> => {
    const { recommendations } = await outputOf('get', { product });
    return (recommendations as readonly { readonly id: number }[]).map(({ id }) => id);
  };
  assert.deepEqual(await recommended(5), [2, 1], 'the lens shares two categories, the typewriter one');
  assert.deepEqual(await recommended(3), [7]);
  for (let product = 1; product <= 11; product += 1)
    assert.ok(!(await recommended(product)).includes(product));
});

test('a word is looked for in names and categories, whatever its letters', async () => {
  const found = async (query: string): Promise<readonly Json[]> =>
    ((await runOf('search', { query })).output as readonly { readonly id: number }[]).map(({ id }) => id);
  assert.deepEqual(await found('CAMERA'), [2, 5]);
  assert.deepEqual(await found('music'), [6]);
  assert.deepEqual(await found('nothing of ours'), []);
});

const CART = 'at most 11 lines {product: 1 to 11, quantity: 1 to 99}, each product once';
const REFUSED: readonly (readonly [Call, Changes, string])[] = [
  ['get', { operation: undefined }, 'operation: missing; give get, cart, checkout or empty'],
  ['get', { operation: 'toString' }, 'operation: given "toString"; give get, cart, checkout or empty'],
  ['get', { currency: 'euro' }, 'currency: given "euro"; give the code of a currency, like EUR'],
  ['get', { currency: 'XXX' }, 'currency: given "XXX"; give one of USD, EUR, CAD, GBP, CHF'],
  ['get', { product: 12 }, 'product: given 12; give a whole number from 1 to 11'],
  ['cart', { cart: 7 }, `cart: given 7; give ${CART}`],
  ['cart', { cart: [{ product: 1 }] }, `cart: given [{"product":1}]; give ${CART}`],
  [
    'cart',
    { cart: [1, 2].map((quantity) => ({ product: 1, quantity })) },
    `cart: given [{"product":1,"quantity":1},{"product":1,"quantity":2}]; give ${CART}`,
  ],
  ['checkout', { cart: [] }, 'cart: given []; give at least one line; add something first'],
  ['checkout', { card: '12' }, 'card: given "12"; give the 12 to 19 digits of a card'],
  ['checkout', { sieve: 1e9 }, 'sieve: given 1000000000; give a whole number from 2 to 2000000'],
  ['empty', { user: undefined }, 'user: missing; give 1 to 40 of a-z, 0-9 and -, not starting with -'],
  ['add', { quantity: 21 }, 'quantity: given 21; give a whole number from 1 to 20'],
  ['product', { product: '5' }, 'product: given "5"; give a whole number from 1 to 11'],
  ['search', { query: '' }, 'query: given ""; give 1 to 40 characters'],
];

test('a bad call is refused by the field, what was given and what to give', async () => {
  for (const [call, changes, expected] of REFUSED)
    assert.equal(await refusalOf(handlers, CALLS[call][0], inputOf(call, changes)), expected);
  for (const call of NAMES) assert.match(await refusalOf(handlers, CALLS[call][0], null), /: missing; give /);
});
