/**
 * DJ: is a jam forming? Vehicles per kilometre here, and at the four stations before this one. The paper's function
 * queries DynamoDB for those; here they follow from road and minute. `burn` stands for the forecast.
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

/** `burn` thousand rounds of xorshift32. The result is part of the output, so no engine may leave them out. */
const spend = (burn, seed) => {
  let state = seed | 1;
  for (let left = burn * 1000; left > 0; left -= 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  return state >>> 0;
};

/** Flow divided by speed. Standing traffic counts as walking pace, 3 km/h, so that a stop is dense, not infinite. */
const perKmOf = (vehiclesPerMinute, speedKmh) => Math.floor((vehiclesPerMinute * 60) / Math.max(speedKmh, 3));

const DENSE_PER_KM = 45;

export default async (given) => {
  const input = object(given);
  const road = text(input, 'road', /^[A-Z][0-9]{1,3}$/, 'a road number like B96');
  const at = text(
    input,
    'at',
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:/,
    'a UTC time to the second, like 2024-05-14T07:32:10Z',
  );
  const no2UgM3 = whole(input, 'no2UgM3', 0, 2000);
  const perKm = perKmOf(whole(input, 'vehiclesPerMinute', 0, 300), whole(input, 'speedKmh', 0, 250));
  const before = [1, 2, 3, 4].map((station) => hash(`${road}|${at.slice(0, 16)}|density|${station}`) % 90);
  const forecast = spend(whole(input, 'burn', 0, 100000), hash(`${road}|${at}|forecast`));
  const denseBefore = before.filter((density) => density >= DENSE_PER_KM).length;
  // Bad air makes up for one dense station: exhaust gathers where vehicles stand.
  const jam = perKm >= DENSE_PER_KM && denseBefore + (no2UgM3 > 120 ? 1 : 0) >= 2;
  return { jam, perKm, before, forecast };
};
