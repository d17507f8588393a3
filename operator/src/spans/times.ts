/**
 * What one execution did with its time, and what a call took beyond its callee; out of the times of spans.
 *
 * Owns: intervals. Clocks of machines differ, so times of two machines are never compared: what a caller waited for is told by its
 * own Client and Producer spans, and the way of a call is the length of the Client span less that of the Server span.
 */
import type { Assumptions, Span } from './span.ts';
import type { Call, Execution } from './trees.ts';

export interface Own {
  readonly busyMs: number;
  /** On calls that are not on an edge: a database, a service without spans. */
  readonly waitingMs: number;
}

interface Interval {
  readonly startMs: number;
  readonly endMs: number;
}

const LONGEST_MS = 86_400_000;
const BACKWARDS = '# spans end before they begin: they are counted, and their times are not used';
const TOO_LONG = '# spans take longer than a day: they are counted, and their times are not used';
const SKEWED =
  '# server spans lie outside of their client spans: clocks differ, and only lengths are compared';
const OUTLASTS = '# server spans take longer than their client spans: such calls are taken to have no way';
const OUTSIDE =
  '# client spans lie outside of the execution that they are part of: nobody waited for that part';

/** Whether its length can be used. */
export function isTimed({ startMs, endMs }: Interval, assumptions?: Assumptions): boolean {
  if (endMs < startMs) assumptions?.add(BACKWARDS);
  else if (endMs - startMs > LONGEST_MS) assumptions?.add(TOO_LONG);
  return endMs >= startMs && endMs - startMs <= LONGEST_MS;
}

export const lengthMs = ({ startMs, endMs }: Interval): number => endMs - startMs;

/** Undefined where its times, or those of its calls, cannot be used. */
export function ownOf(
  { span, outgoing, calls }: Execution,
  onEdge: ReadonlySet<Call>,
  assumptions: Assumptions,
): Own | undefined {
  const within = [...outgoing, ...calls.flatMap((call) => (call.span ? [] : [call.to.span]))];
  if (![span, ...within].every((one) => isTimed(one))) return undefined;
  const onEdges = new Set(calls.filter((call) => onEdge.has(call)).map((call) => call.span ?? call.to.span));
  assumptions.add(OUTSIDE, outgoing.filter((one) => isOutside(one, span)).length);
  const allMs = coveredMs(within, span);
  const calledMs = coveredMs([...onEdges], span);
  return { busyMs: lengthMs(span) - allMs, waitingMs: allMs - calledMs };
}

/** Rounding of clocks is no difference. */
const SLACK_MS = 0.01;

const isOutside = (one: Interval, of: Interval): boolean =>
  one.startMs < of.startMs - SLACK_MS || one.endMs > of.endMs + SLACK_MS;

/** How much of an interval others cover, each moment once. */
function coveredMs(intervals: readonly Interval[], of: Interval): number {
  let [covered, until] = [0, of.startMs];
  for (const { startMs, endMs } of [...intervals].sort((a, b) => a.startMs - b.startMs)) {
    const end = Math.min(endMs, of.endMs);
    covered += Math.max(0, end - Math.max(startMs, until));
    until = Math.max(until, end);
  }
  return covered;
}

/** Calls of one execution that another one of the same overlaps. */
export function overlapping(calls: readonly Call[]): ReadonlySet<Call> {
  const timed = calls
    .map((call) => ({ call, at: call.span ?? call.to.span }))
    .filter(({ at }) => isTimed(at))
    .sort((a, b) => a.at.startMs - b.at.startMs);
  const found = new Set<Call>();
  let longest: (typeof timed)[number] | undefined;
  for (const one of timed) {
    if (longest && one.at.startMs < longest.at.endMs - SLACK_MS) found.add(one.call).add(longest.call);
    if (!longest || one.at.endMs > longest.at.endMs) longest = one;
  }
  return found;
}

/** Milliseconds that a call took beyond the run of its callee; undefined where that is not told. */
export function wayOf({ span, to }: Call, assumptions: Assumptions): number | undefined {
  if (span?.kind !== 'Client' || !isTimed(span) || !isTimed(to.span)) return undefined;
  const way = lengthMs(span) - lengthMs(to.span);
  if (way < -SLACK_MS) assumptions.add(OUTLASTS);
  else if (isOutside(to.span, span)) assumptions.add(SKEWED);
  return Math.max(0, way);
}

/** Milliseconds until a message was taken; undefined where that is not told. */
export const sentMs = ({ span }: Call): number | undefined =>
  span?.kind === 'Producer' && isTimed(span) ? lengthMs(span) : undefined;

/** Both ends on one machine; undefined where one of them is not told. */
export const isNear = ({ from, to }: { from: { span: Span }; to: { span: Span } }): boolean | undefined =>
  from.span.host === '' || to.span.host === '' ? undefined : from.span.host === to.span.host;
