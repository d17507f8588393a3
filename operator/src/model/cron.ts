/**
 * Can a cron schedule be parsed, and does it ever come?
 *
 * Owns: the five fields as Kubernetes' CronJob takes them (lists, ranges, steps, names of months and days, the `@`
 * words). It computes no times: triggers do, later.
 */
interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const LONGEST_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const WORDS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];

const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59, names: [] },
  { name: 'hour', min: 0, max: 23, names: [] },
  { name: 'day of month', min: 1, max: 31, names: [] },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: 7, names: DAYS },
];

/** What is wrong with a schedule, going on from "<field>: '<given>' "; undefined: nothing. */
export function cronProblem(schedule: string): string | undefined {
  const text = schedule.trim();
  if (text.startsWith('@')) {
    return WORDS.includes(text) ? undefined : `is no known word; write one of ${WORDS.join(', ')}`;
  }
  const parts = text.split(/\s+/);
  if (parts.length !== FIELDS.length || text === '') {
    return `has ${text === '' ? 0 : parts.length} fields; write five: minute hour day-of-month month day-of-week`;
  }
  for (const [i, field] of FIELDS.entries()) {
    const problem = fieldProblem(parts[i] ?? '', field);
    if (problem !== undefined) return problem;
  }
  return neverComes(parts[2] ?? '', parts[3] ?? '', parts[4] ?? '');
}

function fieldProblem(text: string, field: Field): string | undefined {
  const bad = text.split(',').find((item) => valuesOf(item, field) === undefined);
  if (bad === undefined) return undefined;
  return `has '${bad}' as ${field.name}; write ${field.min} to ${field.max}, '*', a range like ${field.min}-${field.max} or a step like */2`;
}

/** The values of one item of a list: any, one, a range, each with or without a step; undefined: it cannot be parsed. */
function valuesOf(item: string, field: Field): readonly number[] | undefined {
  const [range = '', step, ...rest] = item.split('/');
  if (rest.length > 0 || (step !== undefined && !/^[1-9]\d{0,2}$/.test(step))) return undefined;
  const ends = endsOf(range, step !== undefined, field);
  if (!ends || ends[0] > ends[1]) return undefined;
  const by = Number(step ?? 1);
  return Array.from({ length: Math.floor((ends[1] - ends[0]) / by) + 1 }, (_, i) => ends[0] + i * by);
}

function endsOf(range: string, stepped: boolean, field: Field): readonly [number, number] | undefined {
  if (range === '*' || range === '?') return [field.min, field.max];
  const [low = '', high, ...rest] = range.split('-');
  const from = numberOf(low, field);
  const to = high === undefined ? (stepped ? field.max : from) : numberOf(high, field);
  return rest.length > 0 || from === undefined || to === undefined ? undefined : [from, to];
}

function numberOf(text: string, field: Field): number | undefined {
  const named = field.names.indexOf(text.toLowerCase());
  if (named >= 0) return named + field.min;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : NaN;
  return value >= field.min && value <= field.max ? value : undefined;
}

/** `0 0 31 2 *`: a day that no month of the schedule has. With a day of week beside it, that day comes instead. */
function neverComes(day: string, month: string, weekday: string): string | undefined {
  if (weekday !== '*' && weekday !== '?') return undefined;
  const [, , dayField, monthField] = FIELDS;
  if (!dayField || !monthField) return undefined;
  const days = day.split(',').flatMap((item) => valuesOf(item, dayField) ?? []);
  const months = month.split(',').flatMap((item) => valuesOf(item, monthField) ?? []);
  const comes = months.some((m) => days.some((d) => d <= (LONGEST_MONTH[m - 1] ?? 0)));
  return comes ? undefined : 'never comes: none of its months has such a day; change the day or the month';
}

/** Does this machine know the time zone? */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch (cause) {
    if (cause instanceof RangeError) return false;
    throw cause;
  }
}
