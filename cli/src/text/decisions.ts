/**
 * The decisions of a plan, one by one: what was chosen, why, from what, instead of what, and by how much.
 *
 * Owns: their grouping (workflow, units, functions, edges) and form. It reads the WorkflowPlan object, as a cluster
 * would show it.
 */
import type { Colors } from '../terminal.ts';
import { plain } from '../terminal.ts';
import { count, hanging, middle, WIDTH } from './layout.ts';
import { titleLine } from './plan.ts';

export interface ShownDecision {
  readonly about: string;
  readonly kind: string;
  readonly choice: string;
  readonly reason: string;
  readonly message: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly value: string;
    readonly source?: string;
    readonly samples?: number;
  }[];
  readonly alternatives: readonly {
    readonly choice: string;
    readonly reason: string;
    readonly message: string;
    readonly latency?: string;
    readonly memory?: string;
    readonly cost?: string;
    readonly margin?: string;
  }[];
  readonly margin?: string;
}

export interface ShownPlan {
  readonly units: readonly { readonly name: string; readonly functions: readonly string[] }[];
  readonly decisions: readonly ShownDecision[];
}

/** The parts of a WorkflowPlan that are shown; undefined where it has none. */
export function readPlanObject(object: Readonly<Record<string, unknown>>): ShownPlan | undefined {
  const spec = object['spec'] as Partial<ShownPlan> | undefined;
  return spec?.units && spec.decisions ? { units: spec.units, decisions: spec.decisions } : undefined;
}

/** `facts` are lines that stand between the title and the decisions. */
export function explainLines(
  plan: ShownPlan,
  title: { readonly namespace: string; readonly workflow: string; readonly hash: string },
  colors: Colors,
  facts: readonly string[] = [],
): readonly string[] {
  const lines = [titleLine(title, title.hash, '', colors), ...facts];
  for (const { heading, decisions } of groupsOf(plan, title.workflow)) {
    lines.push('', colors.bold(middle(plain(heading), WIDTH)));
    for (const decision of decisions) lines.push(...decisionLines(decision, colors));
  }
  return lines;
}

interface Group {
  readonly heading: string;
  readonly decisions: readonly ShownDecision[];
}

/** The workflow first, then each unit with its functions, then each edge; what fits nowhere comes last. */
function groupsOf({ units, decisions }: ShownPlan, workflow: string): readonly Group[] {
  const left = new Set(decisions);
  const take = (heading: string, wanted: (about: string) => boolean): Group => {
    const taken = [...left].filter((d) => wanted(d.about));
    for (const one of taken) left.delete(one);
    return { heading, decisions: taken };
  };
  const groups = [take(`workflow ${workflow}`, (about) => about === workflow && !isFunction(units, about))];
  for (const unit of units) {
    const first = unit.functions[0] ?? '';
    groups.push(take(`unit ${unit.name}`, (about) => about === `unit ${first}`));
    for (const fn of unit.functions)
      groups.push(take(`function ${fn}`, (about) => about === fn || about.startsWith(`${fn} on `)));
  }
  const edges = [...new Set([...left].map((d) => d.about).filter((about) => about.includes(' → ')))].sort();
  for (const edge of edges) groups.push(take(`edge ${edge}`, (about) => about === edge));
  groups.push(take('other', () => true));
  return groups.filter((group) => group.decisions.length > 0);
}

const isFunction = (units: ShownPlan['units'], name: string): boolean =>
  units.some((unit) => unit.functions.includes(name));

function decisionLines(decision: ShownDecision, colors: Colors): readonly string[] {
  const { kind, choice, reason, message, inputs, alternatives, margin = '', about } = decision;
  const on = / on (\S+)$/.exec(about)?.[1];
  const head = `  ${kind}${on === undefined ? '' : ` on ${on}`}: `;
  const room = WIDTH - head.length - reason.length - 2;
  const lines = [`${head}${colors.cyan(middle(plain(choice), room))}  ${colors.dim(reason)}`];
  lines.push(...hanging('    ', plain(message)));
  if (margin !== '') lines.push(...hanging('    margin: ', plain(margin)));
  if (inputs.length > 0)
    lines.push(...hanging('    from: ', inputs.map(inputText).join('; ')).map(colors.dim));
  for (const alternative of alternatives)
    lines.push(...hanging('    not: ', plain(alternativeText(alternative, message))).map(colors.dim));
  return lines;
}

type Alternative = ShownDecision['alternatives'][number];

/** What has been said of the choice itself is not said again. */
function alternativeText({ choice, reason, message, ...predicted }: Alternative, said: string): string {
  const parts = [...(message === said ? [] : [message]), ...predictedTexts(predicted)];
  return `${choice} (${reason})${parts.length === 0 ? '' : `: ${parts.join('; ')}`}`;
}

/** `would be 8.2 ms, 128 MB and 1.2e-7 a root call, 12 % worse`. */
function predictedTexts({
  latency,
  memory,
  cost,
  margin,
}: Omit<Alternative, 'choice' | 'reason' | 'message'>): readonly string[] {
  const figures = [latency, memory, cost === undefined ? undefined : `${cost} a root call`];
  const known = figures.filter((figure) => figure !== undefined);
  if (known.length === 0) return margin === undefined ? [] : [worse(margin)];
  return [`would be ${known.join(', ')}${margin === undefined ? '' : `: ${worse(margin)}`}`];
}

const worse = (margin: string): string =>
  margin.startsWith('-') ? `${margin.slice(1)} better` : `${margin} worse`;

function inputText({ name, value, source, samples }: ShownDecision['inputs'][number]): string {
  const behind = [source, samples === undefined ? undefined : count(samples, 'sample')];
  const known = behind.filter((part) => part !== undefined);
  return plain(`${name} = ${value}${known.length === 0 ? '' : ` (${known.join(', ')})`}`);
}
