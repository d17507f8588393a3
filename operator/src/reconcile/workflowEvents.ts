/**
 * Events on a Workflow: what has just become true.
 *
 * Owns: which changes of conditions are worth telling, once each. What a roll-out does is told by who does it. Pure.
 */
import type { Condition } from '@sinter/crds';
import type { EventOf } from '../kube/events.ts';
import type { StoredObject } from './kinds.ts';

/** Reasons that belong to the ordinary life of a workflow: told, if at all, by the roll-out itself. */
const ORDINARY: ReadonlySet<string> = new Set(['RollingOut', 'UnitsStarting', 'Terminating']);

/** One trouble has many names while it lasts (CrashLoopBackOff, RunContainerError, …): it is told once for a generation. */
function isNews(old: Condition | undefined, now: Condition): boolean {
  if (old?.status !== now.status || old.observedGeneration !== now.observedGeneration) return true;
  return old.reason !== now.reason && (now.status === 'True' || ORDINARY.has(old.reason));
}

export function workflowEvents(
  regarding: StoredObject,
  before: readonly Condition[],
  after: readonly Condition[],
): readonly EventOf[] {
  const changed = (type: string): Condition | undefined => {
    const [old, now] = [before, after].map((list) => list.find((c) => c.type === type));
    return now && isNews(old, now) ? now : undefined;
  };
  const ready = changed('Ready');
  const bus = changed('BusReady');
  const credentials = changed('CredentialsRenewed');
  return [
    ...(ready && !ORDINARY.has(ready.reason) && ready.status !== 'Unknown'
      ? [event(regarding, ready, 'Judge')]
      : []),
    ...(bus?.status === 'False' ? [event(regarding, bus, 'AskBus')] : []),
    ...(credentials ? [event(regarding, credentials, 'Renew')] : []),
  ];
}

const event = (regarding: StoredObject, { status, reason, message }: Condition, action: string): EventOf => ({
  regarding,
  type: status === 'True' ? 'Normal' : 'Warning',
  reason,
  action,
  note: message,
});
