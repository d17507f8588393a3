/** What an amount is in another currency, rounded to its cent. */

/** Refuses a field: the message names it, what was given and what is allowed. */
const refuse = (field, given, allowed) => {
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`${field}: ${said}; give ${allowed}`);
};

/** What one US dollar is, in ten-thousandths. */
const RATES = new Map(Object.entries({ USD: 10000, EUR: 9174, CAD: 13650, GBP: 7728, CHF: 8842 }));
const rateOf = (currency) =>
  RATES.get(currency) ?? refuse('currency', currency, `one of ${[...RATES.keys()].join(', ')}`);

export default ({ from, to }) => ({
  currency: to,
  cents: Math.round((from.cents * rateOf(to)) / rateOf(from.currency)),
});
