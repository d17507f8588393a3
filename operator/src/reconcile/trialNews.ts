/**
 * Events on a Workflow about its trials: that one has begun, and what it came to.
 *
 * Owns: the words. Pure. Figures are of root calls, as entries saw them.
 */
import type { EventOf } from '../kube/events.ts';
import { unitsSummary } from '../resources/index.ts';
import type { Conducted, Figures, Report } from '../rollout/index.ts';
import { msText, percentText } from './comparison.ts';
import type { StoredObject } from './kinds.ts';
import type { Followed } from './target.ts';

type Note = Pick<EventOf, 'type' | 'reason' | 'note'>;

/** `tried`: the plan of the trial that has begun. */
export function trialNews(
  regarding: StoredObject,
  { started, ended, memory }: Conducted,
  tried: Followed | undefined,
): readonly EventOf[] {
  const begun =
    started !== undefined && memory.trial?.of === 'Plan' && tried
      ? [begunNote(tried, memory.trial.current)]
      : [];
  return [...begun, ...(ended ? [endedNote(ended)] : [])].map((note) => ({
    regarding,
    action: 'RollOut',
    ...note,
  }));
}

const begunNote = ({ plan, named }: Followed, current: string): Note => ({
  type: 'Normal',
  reason: 'Tried',
  note: `plan ${named.hash} is tried beside ${current}: units ${unitsSummary(plan)}${promise(plan)}`,
});

function promise({ prediction, baseline }: Followed['plan']): string {
  if (!prediction || !baseline) return '';
  return `; promised: root calls of ${msText(prediction.latencyMs)} instead of ${msText(baseline.latencyMs)}`;
}

function endedNote({ of, hash, current, end, figures }: Report): Note {
  const isTaken = end.outcome === 'Promote';
  const what = isTaken ? `plan ${hash} replaces ${current}` : `plan ${hash} is withdrawn, ${current} stays`;
  const measured = of === 'Plan' ? measuredText(figures.current, figures.candidate) : '';
  return {
    type: end.verdict === 'Worse' && of === 'Code' ? 'Warning' : 'Normal',
    reason: isTaken ? 'Promoted' : (REASONS[end.reason] ?? 'NotTaken'),
    note: `${what}: ${end.message}${measured}`,
  };
}

/** Told by a name of their own: somebody may want to do something about them. */
const REASONS: Readonly<Record<string, string>> = {
  NoRoomForCandidate: 'NoRoomForCandidate',
  CallsFail: 'CallsFail',
  NeverReady: 'NeverReady',
};

function measuredText(before: Figures, after: Figures): string {
  if (before.p50Ms === undefined || after.p50Ms === undefined) return '';
  const p50 = `p50 ${msText(before.p50Ms)} → ${msText(after.p50Ms)}`;
  const p99 =
    before.p99Ms === undefined || after.p99Ms === undefined
      ? ''
      : `, p99 ${msText(before.p99Ms)} → ${msText(after.p99Ms)}`;
  const cost =
    before.costPerCall === undefined || after.costPerCall === undefined
      ? ''
      : `, cost ${percentText(after.costPerCall / before.costPerCall)} of what it was`;
  return `; ${p50}${p99}${cost}, of ${String(before.calls)} and ${String(after.calls)} root calls`;
}
