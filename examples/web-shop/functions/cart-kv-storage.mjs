/**
 * Keeps carts; it alone knows their form: lines of product and quantity, a product once, in order.
 *
 * The cart comes with the call and goes with the answer, as a cookie would carry it. Kept in this process it would be another
 * one in every instance, and be lost with it.
 */

/** Refuses a field: the message names it, what was given and what is allowed. */
const refuse = (field, given, allowed) => {
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`${field}: ${said}; give ${allowed}`);
};

const MOST = 99;
const whole = (given, least, most) => Number.isInteger(given) && given >= least && given <= most;
const isLine = (line) => whole(line?.product, 1, 11) && whole(line?.quantity, 1, MOST);

/** The lines of a cart; an absent one is empty. */
const linesOf = (cart = []) => {
  const sound = Array.isArray(cart) && cart.length <= 11 && cart.every(isLine);
  if (sound && new Set(cart.map(({ product }) => product)).size === cart.length) return cart;
  return refuse(
    'cart',
    cart,
    `at most 11 lines {product: 1 to 11, quantity: 1 to ${MOST}}, each product once`,
  );
};

const added = (lines, { product, quantity }) => {
  const before = lines.find((line) => line.product === product)?.quantity ?? 0;
  const line = { product, quantity: Math.min(MOST, before + quantity) };
  return [...lines.filter((other) => other.product !== product), line];
};

const OPERATIONS = {
  get: ({ cart }) => linesOf(cart),
  add: ({ cart, item }) => added(linesOf(cart), item),
  empty: () => [],
};

export default (input) => ({
  user: input.user,
  cart: OPERATIONS[input.operation](input).toSorted((one, other) => one.product - other.product),
});
