/** Writes to the buyer. A sieve of primes stands for the work of rendering the letter. */

/** How many primes there are up to and including `limit`: the sieve of Eratosthenes. */
const sieve = (limit) => {
  const composite = new Uint8Array(limit + 1);
  let primes = 0;
  for (let number = 2; number <= limit; number += 1) {
    if (composite[number] === 1) continue;
    primes += 1;
    for (let multiple = number * number; multiple <= limit; multiple += number) composite[multiple] = 1;
  }
  return primes;
};

export default ({ user, order, total, sieve: limit }) => ({
  to: user,
  subject: `Order ${order}: ${total.currency} ${(total.cents / 100).toFixed(2)}`,
  primes: sieve(limit),
});
