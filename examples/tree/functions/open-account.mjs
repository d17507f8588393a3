/**
 * A: opens an account, and is the only way in. Has the keys made while it waits for the checks.
 *
 * It owns the form of an application: everything behind it gets these fields, checked.
 */

/** A whole number of the input within its bounds; refuses anything else by name. */
const whole = (input, field, least, most) => {
  const given = input?.[field];
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`${field}: ${said}; give a whole number from ${least} to ${most}`);
};

const applicantOf = (input) => {
  const given = input?.applicant;
  if (typeof given === 'string' && /^[a-z0-9][a-z0-9-]{0,39}$/.test(given)) return given;
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`applicant: ${said}; give 1 to 40 of a-z, 0-9 and -, not starting with -`);
};

export default async (input, ctx) => {
  const applicant = applicantOf(input);
  const waitMs = whole(input, 'waitMs', 0, 2000);
  const sieve = whole(input, 'sieve', 2, 2000000);
  // The key names this call, not the applicant: a resend is dropped, a second application is work again.
  const key = `${ctx.callId}.make-keys`;
  const [checks] = await Promise.all([
    ctx.call('check-identity', { applicant, waitMs }),
    ctx.send('make-keys', { applicant, sieve }, { key }),
  ]);
  return { applicant, accepted: checks.known && checks.score >= 400 && checks.suspicion < 90, ...checks };
};
