/**
 * AS: sets every sign of a road to what a check advises; each check has a panel of its own on it. The paper's
 * function looks the signs up in DynamoDB; here their number follows from the road. What an untrusted sensor advises is noted and shown nowhere. `burn` stands
 * for drawing the pictures.
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

const SHOWS = {
  Clear: 'blank',
  Ice: 'ice, 60 km/h',
  Heat: 'road damage, 80 km/h',
  Jam: 'jam, 40 km/h',
  CleanAir: 'clean air, 60 km/h',
};

const showsOf = (input) => {
  const known = typeof input.advice === 'string' && Object.hasOwn(SHOWS, input.advice);
  return known
    ? SHOWS[input.advice]
    : refuse('advice', input.advice, `one of ${Object.keys(SHOWS).join(', ')}`);
};

const signsOf = (road) =>
  Array.from({ length: 2 + (hash(`${road}|signs`) % 4) }, (_, at) => `${road}-${at + 1}`);

export default async (given) => {
  const input = object(given);
  const road = text(input, 'road', /^[A-Z][0-9]{1,3}$/, 'a road number like B96');
  const cause = text(input, 'cause', /^[a-z-]{1,40}$/, 'the name of the function that advises');
  const shows = showsOf(input);
  const picture = spend(whole(input, 'burn', 0, 100000), hash(`${road}|${shows}`));
  const signs = input.trusted === true ? signsOf(road).map((sign) => ({ sign, shows })) : [];
  return { event: input.event ?? null, road, cause, advice: input.advice, signs, picture };
};
