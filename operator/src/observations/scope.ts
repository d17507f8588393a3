/**
 * What an instance may speak of: its own workflow's route says it.
 *
 * Owns: the refusal of names that are made up. What instances say is written by tenants' processes, and every name that is
 * taken in costs memory: so only functions of the unit that speaks, edges that leave them, artifacts of its architecture
 * and revisions that are live.
 */
import { GATEWAY_CALLER } from '@sinter/contract';
import type {
  EdgeObservation,
  EntryObservation,
  FunctionObservation,
  Observation,
  RouteFunction,
  RouteRecord,
  RouteRevision,
} from '@sinter/contract';

export interface Heard {
  readonly functions: readonly FunctionObservation[];
  readonly edges: readonly EdgeObservation[];
  readonly entries: readonly EntryObservation[];
}

/** As much of an observation as its speaker may say. */
export function withinScope(o: Observation, route: RouteRecord): Heard {
  const speaker = speakerIn(o, route);
  return {
    functions: o.functions.filter((f) => speaker.runs(f.revision, f.function, f.artifact)),
    edges: o.edges.filter((e) => speaker.calls(e)),
    entries: (o.entries ?? []).filter((e) => speaker.enters(e)),
  };
}

interface Speaker {
  readonly runs: (revision: string, fn: string, artifact: string) => boolean;
  readonly calls: (edge: EdgeObservation) => boolean;
  readonly enters: (entry: EntryObservation) => boolean;
}

const speakerIn = (o: Observation, route: RouteRecord): Speaker =>
  o.unit === GATEWAY_CALLER ? gatewayIn(route) : unitIn(o, route);

function gatewayIn({ revisions }: RouteRecord): Speaker {
  const served = (revision: string, fn: string): boolean =>
    functionsOf(revisions[revision]).some((f) => f.name === fn && f.served);
  return {
    runs: () => false,
    calls: ({ from, to, revision, channel }) =>
      from === GATEWAY_CALLER && isDirect(channel) && served(revision, to),
    enters: (e) => e.call === 'Sync' && served(e.revision, e.function),
  };
}

function unitIn({ unit, architecture }: Observation, { revisions }: RouteRecord): Speaker {
  const own = (revision: string, fn: string): RouteFunction | undefined =>
    revisions[revision]?.units.find((u) => u.name === unit)?.functions.find((f) => f.name === fn);
  return {
    runs: (revision, fn, artifact) =>
      own(revision, fn)?.artifacts.some((a) => a.name === artifact && a.architecture === architecture) ===
      true,
    calls: ({ from, to, revision, channel }) =>
      own(revision, from) !== undefined &&
      revisions[revision]?.edges.some(
        (e) => e.from === from && e.to === to && (e.call === 'Sync') === isDirect(channel),
      ) === true,
    enters: (e) => e.call === 'Async' && own(e.revision, e.function)?.async === true,
  };
}

const functionsOf = (revision: RouteRevision | undefined): readonly RouteFunction[] =>
  revision?.units.flatMap((u) => u.functions) ?? [];

const isDirect = (channel: EdgeObservation['channel']): boolean => channel !== 'Queue';
