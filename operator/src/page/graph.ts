/**
 * The picture of a graph: units drawn around their functions, edges with channel, rate and latency.
 *
 * Owns: the SVG. Each function, unit and edge is a link to its details, so that the picture needs no script to be of use, and a
 * keyboard reaches all of it. Colours are the stylesheet's; a channel is told by its word, the colour only repeats it.
 */
import type { WorkflowPlanObject } from '../model/nouns.ts';
import { durationText, rateText, shortDuration, shortRate } from './figures.ts';
import type { Shown } from './figures.ts';
import { html } from './html.ts';
import type { Markup } from './html.ts';
import { NARROW, WIDE, layOut } from './layout.ts';
import type { DrawnEdge, Drawing, Point, Rectangle, Sheet } from './layout.ts';
import type { Scene } from './scene.ts';

export type PlanUnit = WorkflowPlanObject['spec']['units'][number];
export type PlanChannel = WorkflowPlanObject['spec']['channels'][number];

/** Ids of what is said of each, below the picture. No name has a colon. */
export const idOf = {
  function: (name: string): string => `fn:${name}`,
  unit: (unit: { readonly functions: readonly string[] }): string => `unit:${unit.functions[0] ?? ''}`,
  edge: (from: string, to: string): string => `edge:${from}:${to}`,
};

const CHANNELS: Readonly<Record<string, string>> = {
  InProcess: 'in-process',
  Pod: 'pod',
  Node: 'node',
  Remote: 'remote',
  Queue: 'queue',
  LocalQueue: 'local queue',
};

export const channelText = (channel: string | undefined): string =>
  channel === undefined ? 'no channel' : (CHANNELS[channel] ?? channel);

/** What a call along an edge takes beyond its callee, by the channel that it takes. */
export function overheadOf(
  shown: Shown,
  { from, to }: PlanChannel | DrawnEdge,
  channel: string,
): number | undefined {
  const { overheadMs } = shown.edgeOf(from, to) ?? {};
  const measured = channel === 'LocalQueue' ? 'Queue' : channel === 'Pod' ? 'InProcess' : channel;
  return overheadMs?.[measured as keyof typeof overheadMs];
}

/** `js`, or what it is on each architecture: `js, wasm`. */
export const artifactText = (unit: PlanUnit, fn: string): string =>
  [
    ...new Set(
      unit.variants.flatMap((v) => v.artifacts.filter((a) => a.function === fn).map((a) => a.artifact)),
    ),
  ]
    .sort()
    .join(', ');

export const sizeText = ({ resources: { cpu, memory } }: PlanUnit): string =>
  `${String(cpu)} CPU, ${String(memory)}`;

/** Both pictures; the stylesheet shows the one that fits. */
export const graphPictures = (scene: Scene, plan: WorkflowPlanObject, shown: Shown): Markup =>
  html`${new Picture(scene, plan, shown, WIDE, 'wide').svg()}${new Picture(scene, plan, shown, NARROW, 'narrow').svg()}`;

class Picture {
  readonly #scene: Scene;
  readonly #plan: WorkflowPlanObject;
  readonly #shown: Shown;
  readonly #sheet: Sheet;
  readonly #name: string;
  readonly #drawing: Drawing;

  constructor(scene: Scene, plan: WorkflowPlanObject, shown: Shown, sheet: Sheet, name: string) {
    this.#scene = scene;
    this.#plan = plan;
    this.#shown = shown;
    this.#sheet = sheet;
    this.#name = name;
    const groups = plan.spec.units.map((unit) => ({ id: unit.name, functions: unit.functions }));
    const services = scene.graph.services.map((service) => ({ id: `:${service}`, functions: [service] }));
    this.#drawing = layOut([...groups, ...services], scene.graph.edges, sheet);
  }

  svg(): Markup {
    const { width, height, edges } = this.#drawing;
    const size = `0 0 ${px(width)} ${px(height)}`;
    const counts = `${String(this.#drawing.functions.size)} functions in ${String(this.#plan.spec.units.length)} units`;
    return html`<svg
      class="graph ${this.#name}"
      id="graph-${this.#name}"
      viewBox="${size}"
      width="${px(width)}"
      height="${px(height)}"
      role="group"
      aria-label="Graph of ${this.#scene.workflow}: ${counts}"
    >
      <defs>
        <marker
          id="arrow-${this.#name}"
          class="arrow"
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="8"
          markerHeight="8"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path d="M0 0 8 4 0 8z" />
        </marker>
      </defs>
      ${this.#plan.spec.units.map((unit) => this.#unit(unit))}
      <g class="edges">${edges.map((edge) => this.#line(edge))}</g>
      ${this.#plan.spec.units.map((unit) => this.#title(unit))}
      ${this.#scene.graph.functions.map((fn) => this.#function(fn))}
      ${this.#scene.graph.services.map((service) => this.#service(service))}
      ${edges.map((edge) => this.#label(edge))}
    </svg>`;
  }

  #id(id: string): string {
    return `${this.#name}:${id}`;
  }

  #unit(unit: PlanUnit): Markup {
    const box = this.#drawing.units.get(unit.name);
    if (!box) return html``;
    return html`<a
      class="unit"
      id="${this.#id(idOf.unit(unit))}"
      href="#${idOf.unit(unit)}"
      aria-label="unit of ${unit.functions.join(', ')}: ${sizeText(unit)}"
      >${rect(box, 9)}</a
    >`;
  }

  /** Above the edges, which pass below it. */
  #title(unit: PlanUnit): Markup {
    const { cpu, memory } = unit.resources;
    const { x = 0, y = 0, width = 0 } = this.#drawing.units.get(unit.name) ?? {};
    const title = this.#fitted(`${String(cpu)} · ${String(memory)}`, width - 12, 6);
    return html`<text class="size" x="${px(x + 8)}" y="${px(y + 14)}" aria-hidden="true">${title}</text>`;
  }

  /** In the order in which they are declared, under whichever plan: who goes from one to the next keeps the way. */
  #function(fn: string): Markup {
    const box = this.#drawing.functions.get(fn);
    const unit = this.#plan.spec.units.find(({ functions }) => functions.includes(fn));
    if (!box || !unit) return html``;
    const rate = this.#shown.rateOf(fn);
    const cpuMs = this.#shown.functionOf(fn)?.cpuMs;
    const isEntry = this.#scene.graph.entries.includes(fn);
    const artifact = artifactText(unit, fn);
    const said = [
      ...(isEntry ? ['calls enter here'] : []),
      artifact,
      ...(rate === undefined ? [] : [rateText(rate)]),
      ...(cpuMs === undefined ? [] : [`${durationText(cpuMs)} CPU`]),
    ];
    const facts = [
      artifact,
      ...(rate === undefined ? [] : [shortRate(rate)]),
      ...(cpuMs === undefined ? [] : [shortDuration(cpuMs)]),
    ];
    return html`<a
      class="fn${isEntry ? ' entry' : ''}"
      id="${this.#id(idOf.function(fn))}"
      href="#${idOf.function(fn)}"
      aria-label="function ${fn}: ${said.join(', ')}"
      >${rect(box, 6)} ${this.#lines(box, `${isEntry ? '▸ ' : ''}${fn}`, facts.join(' · '))}</a
    >`;
  }

  #service(name: string): Markup {
    const box = this.#drawing.functions.get(name);
    return box ? html`<g class="fn service">${rect(box, 6)}${this.#lines(box, name, 'service')}</g>` : html``;
  }

  #lines(box: Rectangle, name: string, facts: string): Markup {
    const x = px(box.x + box.width / 2);
    const room = box.width - 12;
    const shortened = this.#fitted(name, room, 6.4);
    // Letters are narrowed where the font might be a wide one.
    const squeezed =
      shortened.length * 8.2 > room ? html` textLength="${room}" lengthAdjust="spacingAndGlyphs"` : '';
    return html`<text class="name" x="${x}" y="${px(box.y + 18)}" ${squeezed}>${shortened}</text>
      <text class="facts" x="${x}" y="${px(box.y + 34)}">${this.#fitted(facts, room, 5.9)}</text>`;
  }

  #line(edge: DrawnEdge): Markup {
    return html`<path
      class="edge ${this.#class(edge)}"
      d="${pathOf(edge.points)}"
      marker-end="url(#arrow-${this.#name})"
    />`;
  }

  #label(edge: DrawnEdge): Markup {
    const { from, to, label } = edge;
    const channel = this.#channel(edge);
    const rate = this.#shown.edgeRateOf(from, to);
    const ms = overheadOf(this.#shown, edge, channel ?? '');
    const figures = [rate === undefined ? '' : shortRate(rate), ms === undefined ? '' : shortDuration(ms)];
    const short = `${channelText(channel)} ${figures.filter((text) => text !== '').join(', ')}`;
    const said = [
      channelText(channel),
      ...(rate === undefined ? [] : [rateText(rate)]),
      ...(ms === undefined ? [] : [`${durationText(ms)} on the way`]),
    ];
    const { width, height } = this.#sheet.label;
    const box = {
      x: label.x - width / 2 + 1,
      y: label.y - height / 2 + 1,
      width: width - 2,
      height: height - 2,
    };
    return html`<a
      class="label ${this.#class(edge)}"
      id="${this.#id(idOf.edge(from, to))}"
      href="#${idOf.edge(from, to)}"
      aria-label="edge ${from} to ${to}: ${said.join(', ')}"
      >${rect(box, 8.5)}
      <text x="${px(label.x)}" y="${px(label.y + 3.6)}">${this.#fitted(short, width - 6, 5.9)}</text></a
    >`;
  }

  #channel({ from, to }: DrawnEdge): string | undefined {
    return this.#plan.spec.channels.find((c) => c.from === from && c.to === to)?.channel;
  }

  #class(edge: DrawnEdge): string {
    const call = this.#scene.graph.edges.find((e) => e.from === edge.from && e.to === edge.to)?.call;
    return `${(this.#channel(edge) ?? 'none').toLowerCase()} ${call?.toLowerCase() ?? ''}`;
  }

  /** Shortened in its middle: what tells long names apart stands at their ends. */
  #fitted(text: string, width: number, letter: number): string {
    const most = Math.max(3, Math.floor(width / letter));
    if (text.length <= most) return text;
    const head = Math.ceil((most - 1) / 2);
    return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
  }
}

const px = (value: number): string => String(Math.round(value * 10) / 10);

const rect = ({ x, y, width, height }: Rectangle, radius: number): Markup =>
  html`<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" rx="${px(radius)}" />`;

/** Through all points, leaving and reaching each straight up or down. */
function pathOf(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (!first) return '';
  let before = first;
  let path = `M${px(first.x)} ${px(first.y)}`;
  for (const point of rest) {
    const middle = (before.y + point.y) / 2;
    path +=
      Math.abs(before.x - point.x) < 0.5
        ? `V${px(point.y)}`
        : `C${px(before.x)} ${px(middle)} ${px(point.x)} ${px(middle)} ${px(point.x)} ${px(point.y)}`;
    before = point;
  }
  return path;
}
