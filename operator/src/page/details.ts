/**
 * What is known of each function, unit and edge: figures, and the decisions about it with their reasons.
 *
 * Owns: the texts beside the picture, one article each; the stylesheet shows the one whose id is in the address.
 */
import type { WorkflowPlanObject } from '../model/nouns.ts';
import { bytesText, countText, durationText, rateText, shareText } from './figures.ts';
import type { Shown } from './figures.ts';
import { artifactText, channelText, idOf, overheadOf, sizeText } from './graph.ts';
import type { PlanChannel, PlanUnit } from './graph.ts';
import { html } from './html.ts';
import type { Content, Markup } from './html.ts';
import type { Scene } from './scene.ts';

export type Decision = WorkflowPlanObject['spec']['decisions'][number];
type Fact = readonly [string, Content];

export function detailArticles(scene: Scene, plan: WorkflowPlanObject, shown: Shown): Markup {
  const { units, channels, decisions } = plan.spec;
  const about = (...names: readonly string[]): readonly Decision[] =>
    decisions.filter((d) => names.includes(d.about));
  return html`${units.flatMap((unit) => [
    unitArticle(unit, about(`unit ${unit.functions[0] ?? ''}`)),
    ...unit.functions.map((fn) =>
      functionArticle(
        fn,
        unit,
        scene,
        shown,
        decisions.filter((d) => d.about === fn || d.about.startsWith(`${fn} on `)),
      ),
    ),
  ])}${channels.map((channel) =>
    edgeArticle(channel, shown, about(`${channel.from} → ${channel.to}`, `${channel.to} → ${channel.from}`)),
  )}`;
}

/** The article can be gone to, and gone back from: the script knows where one came from. */
const article = (id: string, title: Markup, facts: readonly Fact[], decisions: readonly Decision[]): Markup =>
  html`<article id="${id}" tabindex="-1" aria-labelledby="${id}:title">
    <h3 id="${id}:title">${title}</h3>
    <dl>
      ${facts.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    ${decisions.map(decisionText)}
    <p><a class="back" href="#graph">Back to the graph</a></p>
  </article>`;

function unitArticle(unit: PlanUnit, decisions: readonly Decision[]): Markup {
  const facts: readonly Fact[] = [
    ['Functions', html`${unit.functions.map((fn) => html`<a href="#${idOf.function(fn)}">${fn}</a> `)}`],
    ['Each instance gets', sizeText(unit)],
    ['Runs on', unit.variants.map((v) => v.architecture).join(', ')],
  ];
  return article(idOf.unit(unit), html`<small>unit</small> ${unit.name}`, facts, decisions);
}

function functionArticle(
  fn: string,
  unit: PlanUnit,
  scene: Scene,
  shown: Shown,
  decisions: readonly Decision[],
): Markup {
  const of = shown.functionOf(fn);
  const rate = shown.rateOf(fn);
  const edges = scene.graph.edges;
  const links = (names: readonly string[], edge: (name: string) => string): Content =>
    names.length === 0 ? undefined : names.map((name) => html`<a href="#${edge(name)}">${name}</a> `);
  const facts: readonly Fact[] = [
    ['Unit', html`<a href="#${idOf.unit(unit)}">${unit.name}</a>`],
    ['Runs as', artifactText(unit, fn)],
    ['Executions', rate === undefined ? 'none seen' : rateText(rate)],
    ...(of ? measuredFacts(of) : []),
    [
      'Called by',
      links(
        edges.filter((e) => e.to === fn).map((e) => e.from),
        (from) => idOf.edge(from, fn),
      ),
    ],
    [
      'Calls',
      links(
        edges.filter((e) => e.from === fn).map((e) => e.to),
        (to) => idOf.edge(fn, to),
      ),
    ],
  ];
  const entry = scene.graph.entries.includes(fn) ? ', an entry' : '';
  const shownFacts = facts.filter(([, value]) => value !== undefined);
  return article(idOf.function(fn), html`<small>function${entry}</small> ${fn}`, shownFacts, decisions);
}

const measuredFacts = (of: NonNullable<ReturnType<Shown['functionOf']>>): readonly Fact[] => [
  ['CPU time', durationText(of.cpuMs)],
  ['Waits of its own', durationText(of.waitingMs)],
  ...(of.memoryBytes === null ? [] : [['Memory it adds', bytesText(of.memoryBytes)] as const]),
  ...(of.coldStartMs === null ? [] : [['Cold start', durationText(of.coldStartMs)] as const]),
  ['Failures', `${countText(of.failures)} of ${countText(of.samples)} executions`],
];

function edgeArticle(channel: PlanChannel, shown: Shown, decisions: readonly Decision[]): Markup {
  const { from, to, terms } = channel;
  const of = shown.edgeOf(from, to);
  const rate = shown.edgeRateOf(from, to);
  const overheadMs = overheadOf(shown, channel, channel.channel);
  const facts: readonly Fact[] = [
    ['Channel', channelText(channel.channel)],
    ...(terms ? [['Call', `${terms.call}, within ${String(terms.timeoutSeconds)} s`] as const] : []),
    ['Calls', rate === undefined ? 'none seen' : rateText(rate)],
    ...(overheadMs === undefined ? [] : [['On the way', durationText(overheadMs)] as const]),
    ...(of ? callFacts(from, of) : []),
  ];
  const ends = html`<a href="#${idOf.function(from)}">${from}</a> →
    <a href="#${idOf.function(to)}">${to}</a>`;
  return article(idOf.edge(from, to), html`<small>edge</small> ${ends}`, facts, decisions);
}

const callFacts = (from: string, of: NonNullable<ReturnType<Shown['edgeOf']>>): readonly Fact[] => [
  [`Calls per run of ${from}`, String(Number(of.callsPerExecution.toPrecision(3)))],
  ...(of.parallel > 0 ? [['At once with others', shareText(of.parallel).slice(1)] as const] : []),
  ['Sent and received', `${bytesText(of.requestBytes)}, ${bytesText(of.responseBytes)}`],
];

/** `Fusion: Together — GainPredicted`, the sentence, and by how much. */
export const decisionText = ({
  kind,
  choice,
  reason,
  message,
  margin,
  alternatives,
  about,
}: Decision): Markup =>
  html`<div class="decision">
    <p><b>${kind}${/ on \S+$/.exec(about)?.[0]}:</b> ${choice} <span class="reason">${reason}</span></p>
    <p>${message}${margin === undefined ? '' : ` (by ${margin})`}</p>
    ${alternatives.map(
      (other) =>
        html`<p class="not">
          not ${other.choice} <span class="reason">${other.reason}</span>${
            other.margin === undefined ? '' : ` ${other.margin} worse`
          }
        </p>`,
    )}
  </div>`;
