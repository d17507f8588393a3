/** At most two products that share a category with those that were looked at, the nearest first. */

export default async ({ products: viewed }, ctx) => {
  const products = await ctx.call('list-products');
  const liked = new Set(
    products.filter(({ id }) => viewed.includes(id)).flatMap(({ categories }) => categories),
  );
  return products
    .filter(({ id }) => !viewed.includes(id))
    .map(({ id, name, categories }) => ({ id, name, shared: categories.filter((c) => liked.has(c)).length }))
    .filter(({ shared }) => shared > 0)
    .sort((one, other) => other.shared - one.shared || one.id - other.id)
    .slice(0, 2)
    .map(({ id, name }) => ({ id, name }));
};
