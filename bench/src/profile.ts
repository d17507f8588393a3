/**
 * What an example's `load.yaml` says: the calls of a visit, the values that they are made with, and how many visits a second.
 *
 * Owns: the form of the file, its bounds, and what follows from it: the timetable and the body of each call. Neighbour:
 * `play.ts` sends them. It reads the file and the lists that the file names, nothing else.
 *
 * ```yaml
 * calls: { open: { path: /accounts, body: { applicant: $applicant } } }   # POST, JSON; the names appear in the report
 * values: { applicant: [ada, grace] }                                     # or { lines: file }: JSON, one value a line
 * loads: { steady: { visit: [open], phases: [{ perSecond: 10, seconds: 100 }] } }
 * ```
 * Invariant: the same profile gives the same bodies and the same timetable: visit n takes value n of every list, round and
 * round. Nothing is drawn.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

/** So many visits a load has at most, and so long it lasts: a load that was mistyped ends all the same. */
const VISITS_MAX = 100_000;
const SECONDS_MAX = 3_600;

const phase = z.strictObject({
  /** Visits, at an even rate. */
  perSecond: z.number().positive().max(1_000),
  seconds: z.number().positive().max(SECONDS_MAX),
});
const call = z.strictObject({ path: z.string().regex(/^\//, 'must begin with /'), body: z.json() });
const load = z.strictObject({
  /** Names of calls, made one after the other: each when the one before was answered. */
  visit: z.array(z.string()).min(1).max(100),
  phases: z.array(phase).min(1).max(100),
});
const SCHEMA = z.strictObject({
  calls: z.record(z.string(), call),
  values: z
    .record(z.string(), z.union([z.array(z.json()).min(1), z.strictObject({ lines: z.string() })]))
    .default({}),
  loads: z.record(z.string(), load),
});

type Json = z.infer<ReturnType<typeof z.json>>;
export type Phase = z.infer<typeof phase>;

export interface Profile {
  readonly calls: Readonly<Record<string, z.infer<typeof call>>>;
  readonly values: Readonly<Record<string, readonly Json[]>>;
  readonly loads: Readonly<Record<string, z.infer<typeof load>>>;
}

/** One call of a visit, ready to be sent. */
export interface Request {
  readonly call: string;
  readonly path: string;
  readonly body: string;
}

/** A load as it is played: when each visit is due, and what it does. */
export interface Timetable {
  /** Milliseconds from the start, ascending; one a visit. */
  readonly dueMs: readonly number[];
  readonly visit: (n: number) => readonly Request[];
}

/** The profile in `load.yaml` of this folder. Throws with the file, the field and what is wrong with it. */
export function readProfile(folder: string): Profile {
  const file = join(folder, 'load.yaml');
  const given = SCHEMA.safeParse(parse(readFileSync(file, 'utf8')));
  if (!given.success) throw new Error(`${file}: ${z.prettifyError(given.error)}`);
  const { calls, loads } = given.data;
  const values = Object.fromEntries(
    Object.entries(given.data.values).map(([name, of]) => [
      name,
      Array.isArray(of) ? of : linesOf(join(folder, of.lines)),
    ]),
  );
  const profile = { calls, values, loads };
  const problem = problemOf(profile);
  if (problem !== undefined) throw new Error(`${file}: ${problem}`);
  return profile;
}

const linesOf = (file: string): readonly Json[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);

/** What no schema sees: names that lead nowhere, and loads that are too long in sum. */
function problemOf({ calls, values, loads }: Profile): string | undefined {
  const unknown = Object.values(calls)
    .flatMap(({ body }) => namesIn(body))
    .find((name) => values[name] === undefined);
  if (unknown !== undefined) return `$${unknown}: no such list in values; there are ${listed(values)}`;
  for (const [name, { visit, phases }] of Object.entries(loads)) {
    const stranger = visit.find((c) => calls[c] === undefined);
    if (stranger !== undefined)
      return `loads.${name}.visit: given ${stranger}; give names of calls: ${listed(calls)}`;
    const visits = phases.reduce((n, p) => n + p.perSecond * p.seconds, 0);
    const seconds = phases.reduce((n, p) => n + p.seconds, 0);
    if (visits > VISITS_MAX || seconds > SECONDS_MAX)
      return `loads.${name}.phases: given ${visits} visits in ${seconds} s; at most ${VISITS_MAX} in ${SECONDS_MAX} s`;
  }
  return undefined;
}

const listed = (of: object): string => Object.keys(of).join(', ');

/** The `name`s of every text `$name` in a body. */
function namesIn(body: Json): readonly string[] {
  if (typeof body === 'string') return body.startsWith('$') ? [body.slice(1)] : [];
  return body !== null && typeof body === 'object' ? Object.values(body).flatMap(namesIn) : [];
}

function filled(body: Json, values: Profile['values'], n: number): Json {
  if (Array.isArray(body)) return body.map((part) => filled(part, values, n));
  if (body !== null && typeof body === 'object')
    return Object.fromEntries(Object.entries(body).map(([key, part]) => [key, filled(part, values, n)]));
  if (typeof body !== 'string' || !body.startsWith('$')) return body;
  const list = values[body.slice(1)] ?? [];
  return list[n % list.length] ?? null;
}

/**
 * A load by its name. `seconds`: how long it lasts in all, where that is not what the profile says; every phase is shortened
 * or lengthened alike and keeps its rate, so that a test sees all of them in little time. Throws for a name that is none.
 */
export function timetableOf(profile: Profile, name: string, seconds?: number): Timetable {
  const found = profile.loads[name];
  if (!found) throw new Error(`load ${name}: there is none; there are ${listed(profile.loads)}`);
  const whole = found.phases.reduce((sum, p) => sum + p.seconds, 0);
  const scale = Math.min(seconds ?? whole, SECONDS_MAX) / whole;
  return {
    dueMs: dueTimes(found.phases.map((p) => ({ ...p, seconds: p.seconds * scale }))),
    visit: (n) =>
      found.visit.map((call) => {
        const { path = '', body = null } = profile.calls[call] ?? {};
        return { call, path, body: JSON.stringify(filled(body, profile.values, n)) };
      }),
  };
}

/** Visit k is due when the rates have added up to k: a phase may end between two visits, and none is lost at its end. */
function dueTimes(phases: readonly Phase[]): readonly number[] {
  const due: number[] = [];
  let beforeMs = 0;
  let visitsBefore = 0;
  for (const { perSecond, seconds } of phases) {
    const visits = visitsBefore + perSecond * seconds;
    // A hair less, for 0.1 × 3 visits that add up to 0.30000000000000004.
    for (; due.length < visits - 1e-9 && due.length < VISITS_MAX;)
      due.push(beforeMs + ((due.length - visitsBefore) / perSecond) * 1_000);
    beforeMs += seconds * 1_000;
    visitsBefore = visits;
  }
  return due;
}
