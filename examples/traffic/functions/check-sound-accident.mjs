/**
 * CSA: was the noise an accident? A bang alone may be a door; a bang with vehicles standing behind it is not. The
 * paper's function queries DynamoDB for those vehicles; here their number follows from road and time. The prime
 * sieve stands for the analysis of the sound.
 *
 * Twin of wasm/check-sound-accident.c: the same fields in the same order, the same numbers, the same messages.
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

/** FNV-1a, 32 bits: stands for a key of the store, so that the same question always gets the same answer. */
const hash = (words) => {
  let value = 0x811c9dc5;
  for (let at = 0; at < words.length; at += 1) value = Math.imul(value ^ words.charCodeAt(at), 0x01000193);
  return value >>> 0;
};

/** Sieve of Eratosthenes up to and including `limit`: how many primes. */
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

/** Slow traffic queues: up to 15 vehicles, never more than pass in three minutes. */
const standingBehind = (road, at, speedKmh, vehiclesPerMinute) =>
  speedKmh > 20 ? 0 : Math.min(hash(`${road}|${at}|standing`) % 16, vehiclesPerMinute * 3);

export default async (given) => {
  const input = object(given);
  const road = text(input, 'road', /^[A-Z][0-9]{1,3}$/, 'a road number like B96');
  const allowedAt = 'a UTC time to the second, like 2024-05-14T07:32:10Z';
  const at = text(input, 'at', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, allowedAt);
  const soundDb = whole(input, 'soundDb', 0, 160);
  const speedKmh = whole(input, 'speedKmh', 0, 250);
  const vehiclesPerMinute = whole(input, 'vehiclesPerMinute', 0, 300);
  const primes = sieve(whole(input, 'sieve', 2, 1000000));
  const bang = soundDb >= 95;
  const standingVehicles = standingBehind(road, at, speedKmh, vehiclesPerMinute);
  return { road, bang, standingVehicles, suspected: bang && standingVehicles >= 3, primes };
};
