/**
 * SE: stores the reading as an event. The paper's function writes to DynamoDB; here the record is a pure function
 * of the reading, so storing twice is the same record under the same key.
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

const hex = (value) => value.toString(16).padStart(8, '0');

export default async (given) => {
  const input = object(given);
  const road = text(input, 'road', /^[A-Z][0-9]{1,3}$/, 'a road number like B96');
  const at = text(input, 'at', /^\d{4}-\d\d-\d\dT/, 'a UTC time to the second, like 2024-05-14T07:32:10Z');
  const record = JSON.stringify(input);
  // Two hashes of 32 bits, forwards and backwards: one alone meets itself after some 77,000 events.
  const event = hex(hash(record)) + hex(hash([...record].reverse().join('')));
  return {
    event,
    partition: `${road}/${at.slice(0, 10)}`,
    shelf: hash(event) % 16,
    characters: record.length,
  };
};
