/** E: has the applicant cheated elsewhere? Waits for the banks' common list: a sleep stands for it. */
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
  await pause(waitMs, undefined, { signal: ctx.signal });
  return { suspicion: hash(`${input.applicant}|fraud`) % 100 };
};
