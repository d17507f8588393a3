/** Sends the parcel. A sieve of primes stands for the work of packing it. */

/** FNV-1a, 32 bits: the same question always gets the same answer. */
const hash = (words) => {
  let value = 0x811c9dc5;
  for (let at = 0; at < words.length; at += 1) value = Math.imul(value ^ words.charCodeAt(at), 0x01000193);
  return value >>> 0;
};

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

export default ({ order, lines, sieve: limit }) => ({
  order,
  parcel: `${hash(order) % 100000}-${lines.length}`,
  primes: sieve(limit),
});
