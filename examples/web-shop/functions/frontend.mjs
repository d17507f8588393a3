/**
 * The shop's front: `get` shows the shop, `cart` the cart, `checkout` buys what is in it, `empty` takes all of it out.
 *
 * It owns the form of its requests: everything behind it gets checked fields. The cart alone goes through as it is, because
 * its form belongs to cart-kv-storage.
 */

/** Refuses a field: the message names it, what was given and what is allowed. */
const refuse = (field, given, allowed) => {
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`${field}: ${said}; give ${allowed}`);
};
const whole = (input, field, least, most) => {
  const given = input?.[field];
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  return refuse(field, given, `a whole number from ${least} to ${most}`);
};
const text = (input, field, pattern, allowed) => {
  const given = input?.[field];
  return typeof given === 'string' && pattern.test(given) ? given : refuse(field, given, allowed);
};

const userOf = (input) =>
  text(input, 'user', /^[a-z0-9][a-z0-9-]{0,39}$/, '1 to 40 of a-z, 0-9 and -, not starting with -');
const currencyOf = (input) => text(input, 'currency', /^[A-Z]{3}$/, 'the code of a currency, like EUR');

/** The front page: asks for its parts one after the other, but for all prices at once. */
const get = async (input, ctx) => {
  const user = userOf(input);
  const to = currencyOf(input);
  const viewed = whole(input, 'product', 1, 11);
  const currencies = await ctx.call('supported-currencies');
  const listed = await ctx.call('list-products');
  const products = await Promise.all(
    listed.map(async ({ id, name, price }) => ({
      id,
      name,
      price: await ctx.call('currency', { from: price, to }),
    })),
  );
  const ads = await ctx.call('get-ads', { user });
  const recommendations = await ctx.call('list-recommendations', { products: [viewed] });
  return { currencies, products, ads, recommendations };
};

const cart = async (input, ctx) => {
  const user = userOf(input);
  const lines = await ctx.call('get-cart', { user, cart: input.cart });
  return { user, cart: lines, shipping: await ctx.call('shipment-quote', { lines }) };
};

const checkout = (input, ctx) =>
  ctx.call('checkout', {
    user: userOf(input),
    currency: currencyOf(input),
    card: text(input, 'card', /^[0-9]{12,19}$/, 'the 12 to 19 digits of a card'),
    sieve: whole(input, 'sieve', 2, 2000000),
    cart: input.cart,
  });

const empty = (input, ctx) => ctx.call('empty-cart', { user: userOf(input) });

const OPERATIONS = new Map(Object.entries({ get, cart, checkout, empty }));

export default (input, ctx) => {
  const operation = OPERATIONS.get(input?.operation);
  return operation
    ? operation(input, ctx)
    : refuse('operation', input?.operation, 'get, cart, checkout or empty');
};
