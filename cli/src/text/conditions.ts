/**
 * What an object in a cluster says of itself: its conditions, and which plans are live.
 *
 * Owns: the tables. The words are the operator's.
 */
import type { Colors } from '../terminal.ts';
import { plain } from '../terminal.ts';
import { hanging, table } from './layout.ts';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export interface LivePlans {
  readonly current?: string | undefined;
  readonly candidate?: string | undefined;
  readonly weightPercent?: number | undefined;
  readonly draining?: readonly string[] | undefined;
}

/** As much of a WorkflowPlan's status as is told. */
export interface PlanStatus {
  readonly sequence?: number | undefined;
  readonly state?: string | undefined;
  readonly gain?: string | undefined;
  readonly comparison?:
    { readonly verdict?: string | undefined; readonly message?: string | undefined } | undefined;
}

export function conditionLines(conditions: readonly Condition[], colors: Colors): readonly string[] {
  const rows = conditions.map(({ type, status, reason, message }) =>
    [type, status, reason, message].map((text) => plain(text)),
  );
  const paint = (status: string): string => {
    if (status.startsWith('True')) return colors.green(status);
    return status.startsWith('False') ? colors.red(status) : colors.yellow(status);
  };
  const columns = [
    { title: 'CONDITION' },
    { title: 'STATUS', style: paint },
    { title: 'REASON' },
    { title: 'MESSAGE', long: 'Wrap' as const },
  ];
  return rows.length === 0 ? [] : table(columns, rows, { title: colors.dim });
}

/** What became of the plan that is shown. */
export function planStateLines(status: PlanStatus): readonly string[] {
  const { sequence, state, gain, comparison } = status;
  const facts = [
    state,
    sequence === undefined ? undefined : `number ${String(sequence)} of its workflow`,
    gain === undefined ? undefined : `gain ${gain}`,
    comparison?.verdict && `${comparison.verdict}: ${comparison.message ?? ''}`,
  ];
  const text = facts.filter((fact) => fact !== undefined && fact !== '').join('; ');
  return text === '' ? [] : hanging('state     ', plain(text));
}

/** The plans besides the current one, and where the workflow answers. */
export function liveLines(plans: LivePlans, url: string | undefined): readonly string[] {
  const { candidate = '', weightPercent = 0, draining = [] } = plans;
  return [
    ...(url === undefined ? [] : hanging('address   ', plain(url))),
    ...(candidate === ''
      ? []
      : hanging('candidate ', `${candidate}, with ${String(weightPercent)} % of the root calls`)),
    ...(draining.length === 0 ? [] : hanging('draining  ', draining.join(', '))),
  ];
}
