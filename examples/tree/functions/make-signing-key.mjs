/** G: makes the key that signs, a longer one: it sieves five times as far, and takes five times as long. */

/** A whole number of the input within its bounds; refuses anything else by name. */
const whole = (input, field, least, most) => {
  const given = input?.[field];
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`${field}: ${said}; give a whole number from ${least} to ${most}`);
};

/** Sieve of Eratosthenes up to and including `limit`. */
const sieve = (limit) => {
  const composite = new Uint8Array(limit + 1);
  let primes = 0;
  let largestPrime = 0;
  for (let number = 2; number <= limit; number += 1) {
    if (composite[number] === 1) continue;
    primes += 1;
    largestPrime = number;
    for (let multiple = number * number; multiple <= limit; multiple += number) composite[multiple] = 1;
  }
  return { primes, largestPrime };
};

export default (input) => {
  const limit = 5 * whole(input, 'sieve', 2, 2000000);
  return { applicant: input.applicant, key: 'signing', ...sieve(limit) };
};
