/**
 * Where everything of a graph stands: functions in layers within their unit, units in layers on the page.
 *
 * Owns: sizes and places, in pixels, and which way edges and their labels take. `layered.ts` has the geometry of one flat graph;
 * `graph.ts` draws. Because units are laid out as boxes of their own, no unit ever overlaps another, whatever the edges.
 */
import { layered, linkId } from './layered.ts';
import type { Box, Item, Layers, Link } from './layered.ts';

export interface UnitGroup {
  readonly id: string;
  readonly functions: readonly string[];
}

/** How much room there is. */
export interface Sheet {
  readonly width: number;
  readonly function: { readonly width: number; readonly height: number };
  readonly label: { readonly width: number; readonly height: number };
}

/** For screens that are wide, and for phones. */
export const WIDE: Sheet = {
  width: 960,
  function: { width: 164, height: 44 },
  label: { width: 144, height: 19 },
};
export const NARROW: Sheet = {
  width: 352,
  function: { width: 148, height: 44 },
  label: { width: 144, height: 19 },
};

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Rectangle extends Point {
  readonly width: number;
  readonly height: number;
}

export interface DrawnEdge extends Link {
  /** Ends, and what lies between them: it goes through each, straight up or down. */
  readonly points: readonly Point[];
  /** Middle of its label. */
  readonly label: Point;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly units: ReadonlyMap<string, Rectangle>;
  readonly functions: ReadonlyMap<string, Rectangle>;
  readonly edges: readonly DrawnEdge[];
}

const MARGIN = 6;
const PADDING = 7;
/** The line at the top of a unit. */
const TITLE = 20;
const GAP = { x: 16, y: 22 };

export function layOut(units: readonly UnitGroup[], edges: readonly Link[], sheet: Sheet): Drawing {
  const home = new Map(units.flatMap((unit) => unit.functions.map((fn) => [fn, unit.id] as const)));
  const known = edges.filter((edge) => home.has(edge.from) && home.has(edge.to));
  const inner = known.filter((edge) => home.get(edge.from) === home.get(edge.to));
  const outer = known.filter((edge) => home.get(edge.from) !== home.get(edge.to));
  const insides = new Map(units.map((unit) => [unit.id, insideOf(unit, inner, sheet)] as const));
  const links = outer.map(({ from, to }) => ({ from: home.get(from) ?? '', to: home.get(to) ?? '' }));
  const items = units.map(({ id }) => {
    const { width, height } = insides.get(id) ?? { width: 0, height: 0 };
    return { id, width: width + 2 * PADDING, height: height + TITLE + PADDING };
  });
  const outside = layered(items, links, {
    maxWidth: sheet.width - 2 * MARGIN,
    gapX: GAP.x,
    above: roomAbove(
      links.map(({ to }) => to),
      sheet,
    ),
  });
  return new Draughtsman(sheet, home, insides, outside).drawing(known);
}

const insideOf = ({ functions }: UnitGroup, edges: readonly Link[], sheet: Sheet): Layers => {
  const own = edges.filter((edge) => functions.includes(edge.from));
  return layered(
    functions.map((id) => ({ id, ...sheet.function })),
    own,
    {
      maxWidth: sheet.width - 2 * MARGIN - 2 * PADDING,
      gapX: GAP.x,
      above: roomAbove(
        own.filter((edge) => edge.from !== edge.to).map(({ to }) => to),
        sheet,
      ),
    },
  );
};

/** For the labels of what comes in: as many lines as the box with the most of them has. */
const roomAbove =
  (ends: readonly string[], { label }: Sheet) =>
  (layer: readonly Item[]): number => {
    const lines = Math.max(...layer.map(({ id }) => ends.filter((end) => end === id).length), 0);
    return GAP.y + (lines === 0 ? 0 : GAP.y + lines * label.height);
  };

/** From places within a unit to places on the page, and the edges between them. */
class Draughtsman {
  readonly #sheet: Sheet;
  readonly #home: ReadonlyMap<string, string>;
  readonly #outside: Layers;
  readonly #units: ReadonlyMap<string, Rectangle>;
  readonly #functions = new Map<string, Rectangle>();
  readonly #lanes = new Map<string, readonly Box[]>();

  constructor(
    sheet: Sheet,
    home: ReadonlyMap<string, string>,
    insides: ReadonlyMap<string, Layers>,
    outside: Layers,
  ) {
    this.#sheet = sheet;
    this.#home = home;
    this.#outside = outside;
    this.#units = new Map(
      [...insides.keys()].map((id) => [id, moved(outside.boxes.get(id), MARGIN, MARGIN)]),
    );
    for (const [id, inside] of insides) {
      const { x, y } = this.#unit(id);
      const [dx, dy] = [x + PADDING, y + TITLE];
      for (const box of inside.boxes.values()) this.#functions.set(box.id, moved(box, dx, dy));
      for (const [link, lanes] of inside.lanes)
        this.#lanes.set(
          link,
          lanes.map((lane) => ({ ...lane, x: lane.x + dx, y: lane.y + dy })),
        );
    }
  }

  drawing(edges: readonly Link[]): Drawing {
    const ends = { out: this.#ports(edges, 'from', 'to'), in: this.#ports(edges, 'to', 'from') };
    const drawn = edges.map((edge) => this.#edge(edge, ends));
    return {
      width: this.#outside.width + 2 * MARGIN,
      height: this.#outside.height + 2 * MARGIN,
      units: this.#units,
      functions: this.#functions,
      edges: this.#labelled(drawn),
    };
  }

  #unit(id: string): Rectangle {
    return this.#units.get(id) ?? { x: 0, y: 0, width: 0, height: 0 };
  }

  #fn(name: string): Rectangle {
    return this.#functions.get(name) ?? { x: 0, y: 0, width: 0, height: 0 };
  }

  /** Where each edge leaves or reaches its function, from left to right as the other ends lie. */
  #ports(edges: readonly Link[], own: 'from' | 'to', other: 'from' | 'to'): ReadonlyMap<string, number> {
    const ports = new Map<string, number>();
    for (const [fn, list] of Map.groupBy(edges, (edge) => edge[own])) {
      const { x, width } = this.#fn(fn);
      const sorted = [...list].sort((a, b) => middleOf(this.#fn(a[other])) - middleOf(this.#fn(b[other])));
      for (const [i, edge] of sorted.entries())
        ports.set(linkId(edge), x + (width * (i + 1)) / (sorted.length + 1));
    }
    return ports;
  }

  #edge(edge: Link, ports: Record<'in' | 'out', ReadonlyMap<string, number>>): DrawnEdge {
    const [from, to] = [this.#fn(edge.from), this.#fn(edge.to)];
    const [startX, endX] = [ports.out.get(linkId(edge)) ?? from.x, ports.in.get(linkId(edge)) ?? to.x];
    if (edge.from === edge.to) return loop(edge, from);
    const [fromUnit, toUnit] = [this.#home.get(edge.from) ?? '', this.#home.get(edge.to) ?? ''];
    const within = fromUnit === toUnit;
    const down = within ? from.y < to.y : this.#unit(fromUnit).y < this.#unit(toUnit).y;
    const start = { x: startX, y: down ? from.y + from.height : from.y };
    const end = { x: endX, y: down ? to.y : to.y + to.height };
    const leave = within ? [] : this.#border(fromUnit, startX, down);
    const enter = within ? [] : this.#border(toUnit, endX, !down).toReversed();
    const points = [start, ...leave, ...this.#waypoints(edge, within, fromUnit, toUnit, down), ...enter, end];
    return { ...edge, points, label: enter.at(-1) ?? end };
  }

  /** Out of a unit: by its upper side, or by its lower one and straight on to the end of its layer. */
  #border(unit: string, x: number, lower: boolean): readonly Point[] {
    const { y, height } = this.#unit(unit);
    if (!lower) return [{ x, y }];
    const end = (this.#outside.boxes.get(unit)?.layerEnd ?? 0) + MARGIN;
    return [y + height, ...(end > y + height ? [end] : [])].map((at) => ({ x, y: at }));
  }

  #waypoints(edge: Link, within: boolean, from: string, to: string, down: boolean): readonly Point[] {
    const lanes = within ? this.#lanes.get(linkId(edge)) : this.#outside.lanes.get(linkId({ from, to }));
    const shift = within ? 0 : MARGIN;
    return (lanes ?? []).flatMap((lane) => {
      const x = middleOf(lane) + shift;
      const ys = [lane.y + shift, lane.y + lane.height + shift];
      return (down ? ys : ys.reverse()).map((y) => ({ x, y }));
    });
  }

  /** Labels stand above the box that their edges enter, one above the other where they would overlap. */
  #labelled(edges: readonly DrawnEdge[]): readonly DrawnEdge[] {
    const { width, height } = this.#sheet.label;
    const placed: Rectangle[] = [];
    const labels = new Map<DrawnEdge, Point>();
    for (const edge of [...edges].sort((a, b) => a.label.x - b.label.x)) {
      const within = this.#home.get(edge.from) === this.#home.get(edge.to);
      const box = within ? this.#fn(edge.to) : this.#unit(this.#home.get(edge.to) ?? '');
      const sits = {
        x: clamp(edge.label.x, box.x + width / 2 - 6, box.x + box.width - width / 2 + 6),
        width,
        height,
      };
      const up = edge.label.y <= box.y + 1 ? -1 : 1;
      let y = edge.label.y + up * (8 + height / 2);
      while (placed.some((other) => overlaps({ ...sits, y }, other))) y += up * height;
      placed.push({ ...sits, y });
      labels.set(edge, { x: sits.x, y });
    }
    return edges.map((edge) => ({ ...edge, label: labels.get(edge) ?? edge.label }));
  }
}

const moved = (box: Rectangle | undefined, dx: number, dy: number): Rectangle => ({
  x: (box?.x ?? 0) + dx,
  y: (box?.y ?? 0) + dy,
  width: box?.width ?? 0,
  height: box?.height ?? 0,
});

const middleOf = ({ x, width }: { readonly x: number; readonly width: number }): number => x + width / 2;
const clamp = (value: number, low: number, high: number): number =>
  low > high ? (low + high) / 2 : Math.min(high, Math.max(low, value));

/** Of rectangles by their middles. */
const overlaps = (a: Rectangle, b: Rectangle): boolean =>
  Math.abs(a.x - b.x) < (a.width + b.width) / 2 - 0.5 &&
  Math.abs(a.y - b.y) < (a.height + b.height) / 2 - 0.5;

/** A function that calls itself: round its right side. */
function loop(edge: Link, { x, y, width, height }: Rectangle): DrawnEdge {
  const right = x + width;
  return {
    ...edge,
    points: [
      { x: right - 12, y: y + height },
      { x: right + 5, y: y + height / 2 },
      { x: right - 12, y },
    ],
    label: { x: right - 12, y },
  };
}
