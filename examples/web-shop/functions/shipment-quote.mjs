/** What shipping costs, in cents of US dollars: a base, and something for every piece. */
export default ({ lines }) => {
  const pieces = lines.reduce((sum, { quantity }) => sum + quantity, 0);
  return { currency: 'USD', cents: pieces === 0 ? 0 : 450 + 75 * pieces };
};
