/**
 * I: takes one reading of a roadside station in, and is the only way in.
 *
 * It owns the form of a reading: everything behind it gets exactly these fields, checked and in this order,
 * whatever else the sender wrote. It waits for the sensor check and for the store; the road checks follow as
 * durable calls, so the station has its answer before they run.
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

/** A UTC second that the calendar has. Parsing reads no clock. */
const second = (input, field) => {
  const allowed = 'a UTC time to the second, like 2024-05-14T07:32:10Z';
  const given = text(input, field, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, allowed);
  const parsed = new Date(given);
  const exists = !Number.isNaN(parsed.getTime()) && parsed.toISOString() === given.replace('Z', '.000Z');
  return exists ? given : refuse(field, given, allowed);
};

const readingOf = (input) => ({
  sensor: text(
    input,
    'sensor',
    /^[a-z0-9][a-z0-9-]{0,39}$/,
    '1 to 40 of a-z, 0-9 and -, not starting with -',
  ),
  road: text(input, 'road', /^[A-Z][0-9]{1,3}$/, 'a road number like B96'),
  at: second(input, 'at'),
  vehiclesPerMinute: whole(input, 'vehiclesPerMinute', 0, 300),
  speedKmh: whole(input, 'speedKmh', 0, 250),
  temperatureC: whole(input, 'temperatureC', -90, 90),
  soundDb: whole(input, 'soundDb', 0, 160),
  no2UgM3: whole(input, 'no2UgM3', 0, 2000),
  image: text(input, 'image', /^[0-9a-f]{16}$/, '16 hexadecimal digits, the hash of the picture'),
  sieve: whole(input, 'sieve', 2, 1000000),
  burn: whole(input, 'burn', 0, 100000),
});

export default async (input, ctx) => {
  const reading = readingOf(object(input));
  const check = await ctx.call('check-working', reading);
  const stored = await ctx.call('store-event', { ...reading, trusted: check.working });
  const event = { ...reading, trusted: check.working, event: stored.event };
  const followUps = ['check-temperature', 'check-sound', 'check-air'];
  // The key names this call, not the reading: a resend is dropped, the same reading sent again is work again.
  await Promise.all(followUps.map((name) => ctx.send(name, event, { key: `${ctx.callId}.${name}` })));
  return { event: stored.event, sensor: check, followUps };
};
