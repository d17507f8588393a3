/** The products whose name or category contains a word; a way in. */

/** Refuses a field: the message names it, what was given and what is allowed. */
const refuse = (field, given, allowed) => {
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`${field}: ${said}; give ${allowed}`);
};
const text = (input, field, pattern, allowed) => {
  const given = input?.[field];
  return typeof given === 'string' && pattern.test(given) ? given : refuse(field, given, allowed);
};

export default async (input, ctx) => {
  const word = text(input, 'query', /^.{1,40}$/, '1 to 40 characters').toLowerCase();
  const products = await ctx.call('list-products');
  return products.filter(({ name, categories }) =>
    [name, ...categories].some((words) => words.toLowerCase().includes(word)),
  );
};
