/** The lines of a cart: product and quantity. */
export default async ({ user, cart }, ctx) => {
  const kept = await ctx.call('cart-kv-storage', { operation: 'get', user, cart });
  return kept.cart;
};
