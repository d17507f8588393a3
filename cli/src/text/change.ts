/**
 * What applying would change, as lines for a person.
 *
 * Owns: the form. What differs is `../change.ts`' affair.
 */
import type { ChannelChange, PlanChange, ShapeChange } from '../change.ts';
import type { Colors } from '../terminal.ts';
import { hanging } from './layout.ts';
import { edgeText, viaText } from './plan.ts';

export interface ShownChange {
  /** Hash of the plan that runs; empty: none does. */
  readonly running: string;
  readonly planned: string;
  readonly change: PlanChange;
  /** Hash in `planRef`; empty: the policy decides. */
  readonly pinned: string;
}

export function changeLines(
  { running, planned, change, pinned }: ShownChange,
  colors: Colors,
): readonly string[] {
  const pin =
    pinned === '' || pinned === planned
      ? []
      : hanging(
          '  ',
          `planRef.hash names ${pinned}: that plan runs until another hash, or none, stands there`,
        );
  if (running === planned) return [colors.bold(`no change: plan ${running} runs`), ...pin];
  const title = titleOf(running, planned);
  const { units, channels } = change;
  const { fresh, kept, gone } = units;
  return [
    colors.bold(title),
    ...pin,
    ...listed('  new   ', fresh).map(colors.green),
    ...listed('  kept  ', kept),
    ...listed('  gone  ', gone).map(colors.red),
    // The first plan has every channel: the table above says so.
    ...(running === '' ? [] : channels.flatMap(channelLine)),
  ];
}

const titleOf = (running: string, planned: string): string =>
  running === '' ? `change: plan ${planned} is the first` : `change: plan ${running} → ${planned}`;

/** The same for a running plan of which only the groups are known. */
export function shapeLines({ running, planned, units }: ShapeChange, colors: Colors): readonly string[] {
  if (running === planned) return [colors.bold(`no change: plan ${running} runs`)];
  const gone = units.gone.map((functions) => functions.join(' + '));
  return [
    colors.bold(titleOf(running, planned)),
    ...listed('  new   ', units.fresh).map(colors.green),
    ...listed('  kept  ', units.kept),
    ...listed('  gone  ', gone).map(colors.red),
  ];
}

const listed = (head: string, names: readonly string[]): readonly string[] =>
  names.length === 0 ? [] : hanging(head, names.join(', '));

function channelLine({ from, to, was, is, terms }: ChannelChange): readonly string[] {
  const via = (channel: string | null): string => (channel === null ? 'none' : viaText(channel));
  const travels = was === is ? via(is) : `${via(was)} → ${via(is)}`;
  const other = terms.length === 0 ? '' : ` (other terms: ${terms.join(', ')})`;
  return hanging('  edge  ', `${edgeText(from, to)}: ${travels}${other}`);
}
