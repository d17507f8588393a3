/** One product, for its own page; a way in. */

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

export default async (input, ctx) => {
  const wanted = whole(input, 'product', 1, 11);
  const products = await ctx.call('list-products');
  return products.find(({ id }) => id === wanted);
};
