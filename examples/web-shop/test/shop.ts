/** The ways into the shop, and one call of each through the graph without a bus. */
import { readFileSync } from 'node:fs';
import { handlersIn, parsed, runCall, throughJson } from '../../test/inMemory.ts';
import type { Json, Run } from '../../test/inMemory.ts';

export const root = new URL('../', import.meta.url);
export const handlers = await handlersIn(root);

const checkout = parsed(readFileSync(new URL('checkout.json', root), 'utf8')) as object;
const user = 'ada-1815';
const cart = [
  { product: 5, quantity: 1 },
  { product: 7, quantity: 2 },
];

/** One call of each way in: the function that it enters at, and its input. */
export const CALLS = {
  get: ['frontend', { operation: 'get', user, currency: 'EUR', product: 5 }],
  cart: ['frontend', { operation: 'cart', user, cart }],
  checkout: ['frontend', checkout],
  empty: ['frontend', { operation: 'empty', user }],
  add: ['add-cart-item', { user, product: 7, quantity: 3, cart }],
  product: ['get-product', { product: 5 }],
  search: ['search-products', { query: 'Camera' }],
} as const;
export type Call = keyof typeof CALLS;
export const NAMES = Object.keys(CALLS) as readonly Call[];

/** The input of a call, with some fields replaced; `undefined` takes a field away. */
export const inputOf = (call: Call, changes: Readonly<Record<string, unknown>> = {}): Json =>
  throughJson({ ...CALLS[call][1], ...changes });

export const runOf = (
  call: Call,
  changes: Readonly<Record<string, unknown>> = {},
  callId = 'call-1',
): Promise<Run> => runCall(handlers, CALLS[call][0], inputOf(call, changes), callId);
