/**
 * Which plan of a workflow is meant: the one that waits for approval, the one before, or one that is named.
 *
 * Owns: the choice, the same for a run and a cluster, and the words where there is none. Plans are known by what the operator
 * says of them; nothing is judged here.
 */
import { EXIT, Refusal } from './exit.ts';

export interface KnownPlan {
  readonly hash: string;
  /** The how-manieth plan of its workflow it is; 0: not known. */
  readonly sequence: number;
  readonly state?: 'Proposed' | 'Candidate' | 'Current' | 'Draining' | 'Retired' | undefined;
  /** The plan that it was compared with, and what came out. */
  readonly baseline?: string | undefined;
  readonly verdict?: string | undefined;
}

export interface Plans {
  /** As messages name it. */
  readonly workflow: string;
  /** Hash of the plan that runs; empty: none does. */
  readonly current: string;
  readonly plans: readonly KnownPlan[];
}

/** The plan of that hash. */
export function planNamed({ workflow, plans }: Plans, hash: string): KnownPlan {
  const found = plans.find((p) => p.hash === hash);
  if (found) return found;
  throw new Refusal(EXIT.refused, `there is no plan '${hash}' of ${workflow}; ${thereAre(plans)}`);
}

/** The newest plan that waits for approval, else the one that is tried. */
export function planToApprove(known: Plans): KnownPlan {
  const waiting = newest(known.plans.filter((p) => p.state === 'Proposed'));
  const found = waiting ?? newest(known.plans.filter((p) => p.state === 'Candidate'));
  if (found) return found;
  const message = `no plan of ${known.workflow} waits for approval; name the hash of one: ${thereAre(known.plans)}`;
  throw new Refusal(EXIT.refused, message);
}

/**
 * The plan that ran before the current one: the one with which that was compared, else the newest older one that was not
 * turned down.
 */
export function planBefore(known: Plans): KnownPlan {
  const { plans, current, workflow } = known;
  if (current === '')
    throw new Refusal(EXIT.refused, `${workflow} has no plan yet: there is nothing to go back from`);
  const now = plans.find((p) => p.hash === current);
  const baseline = plans.find((p) => p.hash === now?.baseline);
  const older = plans.filter((p) => p.hash !== current && ran(p) && p.sequence < (now?.sequence ?? Infinity));
  const found = baseline ?? newest(older);
  if (found) return found;
  const message = `${workflow}: no plan that ran before ${current} is kept; ${thereAre(plans)}, and 'sinter approve' takes one`;
  throw new Refusal(EXIT.refused, message);
}

const ran = ({ state, verdict }: KnownPlan): boolean =>
  (state === 'Retired' || state === 'Draining') && verdict !== 'Worse' && verdict !== 'Undecided';

const newest = (plans: readonly KnownPlan[]): KnownPlan | undefined =>
  plans.toSorted((a, b) => b.sequence - a.sequence || (a.hash < b.hash ? -1 : 1))[0];

function thereAre(plans: readonly KnownPlan[]): string {
  if (plans.length === 0) return 'there is none';
  const named = plans.map(({ hash, state }) => (state === undefined ? hash : `${hash} (${state})`)).sort();
  return `there ${named.length === 1 ? 'is' : 'are'} ${named.join(', ')}`;
}
