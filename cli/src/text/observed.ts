/**
 * The graph behind spans, as a person reads it: functions with their figures, then edges.
 *
 * Owns: the tables. What is in them is `spans/`' affair.
 */
import { msText, percentText } from '@sinter/operator/planner/decide';
import type { ObservedEdge, Snapshot } from '@sinter/operator/snapshot/index';
import type { Derived } from '@sinter/operator/spans/index';
import type { Colors } from '../terminal.ts';
import { plain } from '../terminal.ts';
import { count, hanging, table } from './layout.ts';
import { edgeText } from './plan.ts';

export function observedLines(derived: Derived, snapshot: Snapshot, colors: Colors): readonly string[] {
  const { spans, traces, functions } = derived;
  const { observations, workflow } = snapshot;
  const services = new Set(functions.map((fn) => fn.service)).size;
  const { windowSeconds } = observations;
  const during = windowSeconds > 0 ? ` in ${String(Number(windowSeconds.toPrecision(3)))} s` : '';
  return [
    ...hanging(
      '',
      `${workflow.name}: ${count(spans, 'span')} of ${count(traces, 'trace')}${during}; ${count(services, 'service')}, ` +
        `${count(functions.length, 'function')}, ${count(workflow.spec.edges.length, 'edge')}`,
    ),
    '',
    ...functionTable(derived, snapshot, colors),
    ...(observations.edges.length === 0 ? [] : ['', ...edgeTable(snapshot, colors)]),
  ];
}

function functionTable(
  { functions }: Derived,
  { observations }: Snapshot,
  colors: Colors,
): readonly string[] {
  const rows = functions.map(({ name, service, operation, rate }) => {
    const own = observations.functions.find((row) => row.function === name);
    const root = observations.roots.find((row) => row.function === name);
    return [
      name,
      plain(operation === '' ? service : `${service}: ${operation}`),
      String(Number(rate.toPrecision(3))),
      own ? msText(own.cpuMs) : '',
      own ? msText(own.waitingMs) : '',
      root?.p50Ms === null || root?.p50Ms === undefined ? '' : msText(root.p50Ms),
    ];
  });
  const columns = [
    { title: 'FUNCTION', style: colors.cyan },
    { title: 'IS NOW' },
    { title: 'A SECOND', align: 'Right' as const },
    { title: 'BUSY', align: 'Right' as const },
    { title: 'WAITING', align: 'Right' as const },
    { title: 'P50 AS ENTRY', align: 'Right' as const },
  ];
  return table(columns, rows, { title: colors.dim });
}

function edgeTable({ observations, workflow }: Snapshot, colors: Colors): readonly string[] {
  const callOf = new Map(workflow.spec.edges.map((e) => [edgeText(e.from, e.to), e.call]));
  const rows = observations.edges.map((edge) => [
    edgeText(edge.from, edge.to),
    callOf.get(edgeText(edge.from, edge.to)) ?? '',
    String(Number(edge.callsPerExecution.toPrecision(3))),
    edge.parallel > 0 ? percentText(edge.parallel) : '',
    wayText(edge),
    sizeText(edge.requestBytes + edge.responseBytes),
  ]);
  const columns = [
    { title: 'EDGE' },
    { title: 'CALL' },
    { title: 'PER RUN', align: 'Right' as const },
    { title: 'AT ONCE', align: 'Right' as const },
    { title: 'ON ITS WAY', align: 'Right' as const },
    { title: 'SIZE', align: 'Right' as const },
  ];
  return table(columns, rows, { title: colors.dim });
}

function wayText({ overheadMs: { Remote, Node, Queue } }: ObservedEdge): string {
  const ms = Remote ?? Node ?? Queue;
  return ms === undefined ? '' : msText(ms);
}

/** There and back; empty where spans do not tell it. */
function sizeText(bytes: number): string {
  if (bytes === 0) return '';
  const [unit, of] =
    bytes < 1e3 ? (['B', 1] as const) : bytes < 1e6 ? (['kB', 1e3] as const) : (['MB', 1e6] as const);
  return `${String(Number((bytes / of).toPrecision(3)))} ${unit}`;
}
