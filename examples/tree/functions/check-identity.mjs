/** B: is the applicant who they say? Asks for the rest first, then waits for the register of residents: a sleep stands for it. */
import { setTimeout as pause } from 'node:timers/promises';

/** A whole number of the input within its bounds; refuses anything else by name. */
const whole = (input, field, least, most) => {
  const given = input?.[field];
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  const said = given === undefined ? 'missing' : `given ${JSON.stringify(given).slice(0, 60)}`;
  throw new Error(`${field}: ${said}; give a whole number from ${least} to ${most}`);
};

/** FNV-1a, 32 bits: stands for what the register knows, so that the same question always gets the same answer. */
const hash = (words) => {
  let value = 0x811c9dc5;
  for (let at = 0; at < words.length; at += 1) value = Math.imul(value ^ words.charCodeAt(at), 0x01000193);
  return value >>> 0;
};

export default async (input, ctx) => {
  const waitMs = whole(input, 'waitMs', 0, 2000);
  const { applicant } = input;
  const checks = await ctx.call('check-credit', { applicant, waitMs });
  await pause(waitMs, undefined, { signal: ctx.signal });
  return { known: hash(`${applicant}|resident`) % 20 !== 0, ...checks };
};
