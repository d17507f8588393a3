/**
 * CA: judges the air, has a jam looked for, and has the signs adjusted to what was found. A jam outranks bad air:
 * it is what makes the air bad.
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

/** Bands of the European air quality index for nitrogen dioxide, in micrograms per cubic metre, one hour. */
const BANDS = [
  { upTo: 40, air: 'Good' },
  { upTo: 90, air: 'Fair' },
  { upTo: 120, air: 'Moderate' },
  { upTo: 230, air: 'Poor' },
  { upTo: 2000, air: 'VeryPoor' },
];

const adviceFor = (air, jam) => {
  if (jam) return 'Jam';
  return air === 'Poor' || air === 'VeryPoor' ? 'CleanAir' : 'Clear';
};

export default async (given, ctx) => {
  const input = object(given);
  const { road, at, vehiclesPerMinute, speedKmh, burn, event, trusted } = input;
  const no2UgM3 = whole(input, 'no2UgM3', 0, 2000);
  const { air } = BANDS.find(({ upTo }) => no2UgM3 <= upTo);
  const { jam, perKm } = await ctx.call('detect-jam', {
    road,
    at,
    vehiclesPerMinute,
    speedKmh,
    no2UgM3,
    burn,
  });
  const advice = adviceFor(air, jam);
  const order = { event, road, cause: 'check-air', advice, trusted, burn };
  await ctx.send('adjust-signs', order, { key: `${ctx.callId}.adjust-signs` });
  return { road, air, jam, perKm, advice };
};
