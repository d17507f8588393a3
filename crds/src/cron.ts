/**
 * The shape of a cron schedule as one RE2-safe regular expression, so that CEL can check it.
 *
 * Owns what a field may hold: `*`, values, ranges, lists and steps, names of months and days, and the `@` words.
 * Not here: when a schedule fires. `0 0 31 2 *` has the right shape and never does.
 */

/** Upper and lower case alike, without the `(?i)` that JavaScript does not know: `jan` → `[jJ][aA][nN]`. */
const anyCase = (word: string): string =>
  word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);

const names = (words: string): string => words.split(' ').map(anyCase).join('|');

const MINUTE = '[0-5]?[0-9]';
const HOUR = '[01]?[0-9]|2[0-3]';
const DAY_OF_MONTH = '0?[1-9]|[12][0-9]|3[01]';
const MONTH = `0?[1-9]|1[0-2]|${names('jan feb mar apr may jun jul aug sep oct nov dec')}`;
const DAY_OF_WEEK = `[0-7]|${names('sun mon tue wed thu fri sat')}`;
const STEP = '(/[1-9][0-9]?)?';

/** A comma-separated list of `*`, values and ranges, each with an optional step. */
function field(value: string): string {
  const one = `([*]|(${value})(-(${value}))?)${STEP}`;
  return `${one}(,${one})*`;
}

const FIELDS = [MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK].map(field).join(' +');

/** Five fields, or one of the words that cron knows. */
export const CRON_SHAPE = `^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|${FIELDS})$`;
