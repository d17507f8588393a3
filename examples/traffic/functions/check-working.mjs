/**
 * CW: is the sensor still working? Judges one reading by what cannot be true on a road, and spends the prime
 * sieve that stands for the station's self-test.
 *
 * Twin of wasm/check-working.c: the same fields in the same order, the same numbers, the same messages.
 */

/** Refuses a field: the message names it, what was given and what is allowed. */
const refuse = (field, given, allowed) => {
  if (given === undefined) throw new Error(`${field}: missing; give ${allowed}`);
  const said = JSON.stringify(given);
  const shown = said.length > 60 ? `JSON of ${said.length} characters` : said;
  throw new Error(`${field}: given ${shown}; give ${allowed}`);
};
const object = (input) =>
  input !== null && typeof input === 'object' && !Array.isArray(input)
    ? input
    : refuse('input', input, 'a JSON object');
const whole = (input, field, least, most) => {
  const given = input[field];
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  return refuse(field, given, `a whole number from ${least} to ${most}`);
};
const text = (input, field, pattern, allowed) => {
  const given = input[field];
  return typeof given === 'string' && pattern.test(given) ? given : refuse(field, given, allowed);
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

const faultsOf = ({ image, temperatureC, soundDb, vehiclesPerMinute, speedKmh }) => {
  const faults = [];
  if (/^0+$/.test(image)) faults.push('Lens'); // a black picture
  if (temperatureC < -40 || temperatureC > 60) faults.push('Thermometer');
  if (soundDb < 20) faults.push('Microphone'); // no road is that silent
  if (vehiclesPerMinute === 0 && speedKmh > 0) faults.push('Radar'); // a speed without a vehicle
  return faults;
};

export default async (given) => {
  const input = object(given);
  const sensor = text(
    input,
    'sensor',
    /^[a-z0-9][a-z0-9-]{0,39}$/,
    '1 to 40 of a-z, 0-9 and -, not starting with -',
  );
  const faults = faultsOf({
    image: text(input, 'image', /^[0-9a-f]{16}$/, '16 hexadecimal digits, the hash of the picture'),
    temperatureC: whole(input, 'temperatureC', -90, 90),
    soundDb: whole(input, 'soundDb', 0, 160),
    vehiclesPerMinute: whole(input, 'vehiclesPerMinute', 0, 300),
    speedKmh: whole(input, 'speedKmh', 0, 250),
  });
  const { primes, largestPrime } = sieve(whole(input, 'sieve', 2, 1000000));
  return { sensor, working: faults.length === 0, faults, primes, largestPrime };
};
