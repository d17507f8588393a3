/**
 * CT: estimates the temperature of the road's surface and has the signs adjusted, to a warning or to all clear.
 * The estimate is arithmetic in whole degrees; `burn` stands for the weight of a real surface model.
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

/** Asphalt runs ahead of the air by day and falls behind it by night (hours in UTC). */
const surfaceOf = (airC, hour) => {
  if (hour >= 10 && hour < 17) return airC + 14;
  return hour >= 6 && hour < 20 ? airC + 5 : airC - 3;
};

const adviceFor = (surfaceC) => {
  if (surfaceC <= 1) return 'Ice';
  return surfaceC >= 48 ? 'Heat' : 'Clear';
};

export default async (given, ctx) => {
  const input = object(given);
  const road = text(input, 'road', /^[A-Z][0-9]{1,3}$/, 'a road number like B96');
  const at = text(
    input,
    'at',
    /^\d{4}-\d\d-\d\dT\d\d:/,
    'a UTC time to the second, like 2024-05-14T07:32:10Z',
  );
  const burn = whole(input, 'burn', 0, 100000);
  const surfaceC = surfaceOf(whole(input, 'temperatureC', -90, 90), Number(at.slice(11, 13)));
  const advice = adviceFor(surfaceC);
  const model = spend(burn, hash(`${road}|${at}|surface`));
  const order = {
    event: input.event,
    road,
    cause: 'check-temperature',
    advice,
    trusted: input.trusted,
    burn,
  };
  await ctx.send('adjust-signs', order, { key: `${ctx.callId}.adjust-signs` });
  return { road, surfaceC, advice, model };
};
