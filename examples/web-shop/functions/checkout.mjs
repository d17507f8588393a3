/**
 * Buys a cart: what it costs, with shipping and in the buyer's currency, and the payment. What follows, the buyer does not
 * wait for: shipping, a letter, an empty cart.
 */

/** Refuses a field: the message names it, what was given and what is allowed. */
const refuse = (field, given, allowed) => {
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`${field}: ${said}; give ${allowed}`);
};
/** FNV-1a, 32 bits: the same question always gets the same answer. */
const hash = (words) => {
  let value = 0x811c9dc5;
  for (let at = 0; at < words.length; at += 1) value = Math.imul(value ^ words.charCodeAt(at), 0x01000193);
  return value >>> 0;
};

/** The order's lines, each with its price in the buyer's currency; all prices are asked for at once. */
const priced = async ({ lines, currency }, ctx) => {
  const products = await ctx.call('list-products');
  return Promise.all(
    lines.map(async ({ product, quantity }) => {
      const { price } = products.find(({ id }) => id === product);
      const from = { ...price, cents: price.cents * quantity };
      return { product, quantity, price: await ctx.call('currency', { from, to: currency }) };
    }),
  );
};

export default async ({ user, cart, currency, card, sieve }, ctx) => {
  const lines = await ctx.call('get-cart', { user, cart });
  if (lines.length === 0) refuse('cart', lines, 'at least one line; add something first');
  const order = await priced({ lines, currency }, ctx);
  const quote = await ctx.call('shipment-quote', { lines });
  const shipping = await ctx.call('currency', { from: quote, to: currency });
  const cents = order.reduce((sum, { price }) => sum + price.cents, shipping.cents);
  const total = { currency, cents };
  const { transaction } = await ctx.call('payment', { amount: total, card, sieve });
  const number = hash(`${user}|${transaction}`).toString(16).padStart(8, '0');
  const followUps = {
    'ship-order': { order: number, lines, sieve },
    email: { user, order: number, total, sieve },
    'empty-cart': { user },
  };
  // The key names this call, not the order: a resend is dropped, the same order given again is work again.
  await Promise.all(
    Object.entries(followUps).map(([name, input]) => ctx.send(name, input, { key: `${ctx.callId}.${name}` })),
  );
  return { order: number, transaction, lines: order, shipping, total, cart: [] };
};
