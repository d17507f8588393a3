/** Takes everything out of a cart. Nobody waits for the storage: the cart is empty for whoever asked. */
export default async ({ user }, ctx) => {
  await ctx.send('cart-kv-storage', { operation: 'empty', user }, { key: `${ctx.callId}.cart-kv-storage` });
  return { user, cart: [] };
};
