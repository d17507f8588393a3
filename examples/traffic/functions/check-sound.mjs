/**
 * CS: listens to the road. Asks at once whether the noise is too much and whether it was an accident, and says
 * what should follow. The accident wins: nobody reroutes traffic before the ambulance is through.
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

const actionFor = (level, accident) => {
  if (accident.suspected) return 'CallAmbulance';
  return level.verdict === 'TooLoud' ? 'Reroute' : 'None';
};

export default async (given, ctx) => {
  const { road, at, soundDb, speedKmh, vehiclesPerMinute, sieve, trusted } = object(given);
  const [level, accident] = await Promise.all([
    ctx.call('check-sound-level', { road, at, soundDb }),
    ctx.call('check-sound-accident', { road, at, soundDb, speedKmh, vehiclesPerMinute, sieve }),
  ]);
  const action = trusted === true ? actionFor(level, accident) : 'None';
  return { road, action, level, accident };
};
