/**
 * CSL: is the road louder than its neighbours must bear? Compares with the limit of the hour and with the road's
 * own last twelve levels. The paper's function queries DynamoDB for those; here they follow from road and day.
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

const historyOf = (road, day) =>
  Array.from({ length: 12 }, (_, ago) => 52 + (hash(`${road}|${day}|level|${ago}`) % 24));

/** Upper median: a level that was measured, never a fraction. */
const medianOf = (levels) => levels.toSorted((one, other) => one - other)[levels.length >> 1];

const verdictOf = (soundDb, limitDb, usualDb) => {
  if (soundDb > limitDb) return 'TooLoud';
  return soundDb > usualDb + 6 ? 'Unusual' : 'Normal';
};

export default async (given) => {
  const input = object(given);
  const road = text(input, 'road', /^[A-Z][0-9]{1,3}$/, 'a road number like B96');
  const at = text(
    input,
    'at',
    /^\d{4}-\d\d-\d\dT\d\d:/,
    'a UTC time to the second, like 2024-05-14T07:32:10Z',
  );
  const soundDb = whole(input, 'soundDb', 0, 160);
  const hour = Number(at.slice(11, 13));
  const limitDb = hour >= 6 && hour < 22 ? 78 : 68;
  const usualDb = medianOf(historyOf(road, at.slice(0, 10)));
  return { verdict: verdictOf(soundDb, limitDb, usualDb), soundDb, limitDb, usualDb };
};
