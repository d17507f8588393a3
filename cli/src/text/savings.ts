/**
 * What could be saved, as lines for a person: the same for `observe` and for `explain --snapshot`.
 *
 * Owns: the form, and the words for how much of it is to be believed.
 */
import { costText, listText, mbText, msText, percentText } from '@sinter/operator/planner/decide';
import type { Predicted } from '@sinter/operator/planner/plan';
import type { Snapshot } from '@sinter/operator/snapshot/index';
import type { Saving, Savings } from '../savings.ts';
import type { Colors } from '../terminal.ts';
import { plain } from '../terminal.ts';
import { hanging, table } from './layout.ts';

/** Of long lists so many are shown. */
const SHOWN = 5;
const MONTH_SECONDS = 30 * 86_400;
const MILLION = 1e6;

export function savingLines(savings: Savings, snapshot: Snapshot, colors: Colors): readonly string[] {
  return [
    colors.bold('what would be saved'),
    ...savingTable(savings, colors),
    '',
    ...fusingLines(savings),
    ...modelLines(savings),
    ...priceLines(savings, snapshot),
  ];
}

export function assumptionLines(assumptions: readonly string[], colors: Colors): readonly string[] {
  if (assumptions.length === 0) return [];
  return ['', colors.bold('assumed'), ...assumptions.flatMap((text) => hanging('  - ', plain(text)))];
}

function savingTable(savings: Savings, colors: Colors): readonly string[] {
  const { running, pairs, moving, deferring, fusing } = savings;
  const row = (what: string, saved: Predicted): readonly string[] => [
    what,
    changeText(saved.latencyMs, running.latencyMs, msText),
    changeText(saved.memoryBytes, running.memoryBytes, mbText),
    changeText(saved.cost * MILLION, running.cost * MILLION, costText),
  ];
  const isFound = fusing.groups.length > 0;
  const rows = [
    ['as it runs', msText(running.latencyMs), mbText(running.memoryBytes), costText(running.cost * MILLION)],
    isFound ? row(`fusing ${groupsText(fusing.groups)}`, fusing.saved) : ['fusing: see below', '', '', ''],
    ...worthwhile(pairs, running).map(({ about, saved }) => row(`only ${plain(about)} together`, saved)),
    ...(moving ? [row('moving everything onto one machine', moving.saved)] : []),
    ...worthwhile(deferring, running).map(({ about, saved }) => row(`deferring ${plain(about)}`, saved)),
  ];
  const columns = [
    { title: '', long: 'Wrap' as const },
    { title: 'LATENCY', align: 'Right' as const },
    { title: 'MEMORY', align: 'Right' as const },
    { title: 'MONEY A MILLION', align: 'Right' as const },
  ];
  return table(columns, rows, { title: colors.dim });
}

/** One in a hundred of what runs is the least that is shown. */
const worthwhile = (savings: readonly Saving[], running: Predicted): readonly Saving[] =>
  savings
    .filter(({ saved }) => saved.latencyMs > 0.01 * running.latencyMs || saved.cost > 0.01 * running.cost)
    .slice(0, SHOWN);

const groupsText = (groups: readonly (readonly string[])[]): string => {
  const shown = groups.slice(0, SHOWN).map((group) => `{${listText(group)}}`);
  return `${shown.join(' ')}${groups.length > SHOWN ? ` and ${String(groups.length - SHOWN)} groups more` : ''}`;
};

/** `-12.3 ms (-29 %)`: what it would come to is less by that much. */
function changeText(saved: number, of: number, text: (value: number) => string): string {
  const share = of === 0 ? 0 : saved / of;
  if (Math.abs(share) < 0.0005) return '0 %';
  const sign = saved > 0 ? '-' : '+';
  return `${sign}${text(Math.abs(saved))} (${sign}${percentText(Math.abs(share))})`;
}

function fusingLines({ fusing, deferring, running }: Savings): readonly string[] {
  const said = fusing.message === '' ? [] : hanging('fusing     ', `${fusing.message} (${fusing.reason})`);
  if (worthwhile(deferring, running).length === 0) return said;
  return [
    ...said,
    ...hanging('deferring  ', 'only where nobody needs the result of the call: spans do not tell that'),
  ];
}

function modelLines({ error }: Savings): readonly string[] {
  if (!error)
    return hanging('model      ', 'no latency of root calls was measured: its error is not known here');
  const text =
    `says ${msText(error.saidMs)} for what runs, and ${msText(error.measuredMs)} were measured (means): it is wrong by ` +
    `${percentText(error.share)} here, and what it says of other plans is corrected by that`;
  return hanging('model      ', text);
}

function priceLines({ running, rootsPerSecond }: Savings, { policy }: Snapshot): readonly string[] {
  const { model, gigabyteSecond, cpuSecond } = policy.spec.price;
  const month =
    rootsPerSecond === undefined
      ? ''
      : `; at ${String(Number(rootsPerSecond.toPrecision(3)))} root calls a second it is ` +
        `${costText(running.cost * rootsPerSecond * MONTH_SECONDS)} in 30 days`;
  const prices = `${gigabyteSecond} a GB-second, ${cpuSecond} a CPU-second (policy.spec.price, ${model})`;
  return hanging('money      ', `by a million root calls, at ${prices}${month}`);
}
