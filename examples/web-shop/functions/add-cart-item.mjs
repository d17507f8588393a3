/** Puts something into a cart, and gives the cart as it is then; a way in. */

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

export default (input, ctx) => {
  const user = text(
    input,
    'user',
    /^[a-z0-9][a-z0-9-]{0,39}$/,
    '1 to 40 of a-z, 0-9 and -, not starting with -',
  );
  const item = { product: whole(input, 'product', 1, 11), quantity: whole(input, 'quantity', 1, 20) };
  return ctx.call('cart-kv-storage', { operation: 'add', user, cart: input.cart, item });
};
