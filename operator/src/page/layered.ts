/**
 * Boxes in layers, callers above callees: where each box stands, and by which way a link gets there (Sugiyama, 1981).
 *
 *   break cycles ─▶ layers, none wider than allowed ─▶ order within a layer, few crossings ─▶ places
 *
 * Owns: the geometry of one flat graph, in pixels. `layout.ts` uses it for functions in a unit, and for units in a page.
 * Invariants:
 *  1. No two boxes overlap, and a link over more than one layer has a lane of its own through each of them.
 *  2. Same input, same picture.
 */

export interface Item {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export interface Link {
  readonly from: string;
  readonly to: string;
}

export interface Room {
  /** A layer takes boxes up to this width; one that is wider has a layer of its own. */
  readonly maxWidth: number;
  readonly gapX: number;
  /** How much is left free above the boxes of a layer, but for the first. */
  readonly above: (layer: readonly Item[]) => number;
}

export interface Box extends Item {
  readonly x: number;
  readonly y: number;
  /** Where its layer ends: boxes beside it may be higher. */
  readonly layerEnd: number;
}

export interface Layers {
  readonly width: number;
  readonly height: number;
  readonly boxes: ReadonlyMap<string, Box>;
  /** The lanes that a link takes from `from` to `to`, by `linkId`; absent: it goes straight. */
  readonly lanes: ReadonlyMap<string, readonly Box[]>;
}

/** Between names there is no blank. */
export const linkId = ({ from, to }: Link): string => `${from} ${to}`;

const LANE = 10;
const SWEEPS = 8;

interface Cell extends Item {
  readonly order: number;
  /** Neighbours in the layer above and below. */
  readonly up: string[];
  readonly down: string[];
}

export function layered(items: readonly Item[], links: readonly Link[], room: Room): Layers {
  const downward = acyclic(items, links);
  const depths = depthsOf(items, downward, room);
  const { cells, lanes } = cellsOf(items, downward, depths);
  let rows = rowsOf(cells, depths);
  rows = ordered(rows, cells);
  const xs = acrossOf(rows, cells, room);
  return placed(rows, cells, xs, lanes, room);
}

interface Downward extends Link {
  readonly reversed: boolean;
}

/** Links that would close a cycle are turned round; those from a box to itself, and doubles, are left out. */
function acyclic(items: readonly Item[], links: readonly Link[]): readonly Downward[] {
  const known = new Set(items.map((item) => item.id));
  const own = links.filter((l) => l.from !== l.to && known.has(l.from) && known.has(l.to));
  const unique = [...new Map(own.map((link) => [linkId(link), link] as const)).values()];
  const out = Map.groupBy(unique, (link) => link.from);
  const state = new Map<string, 'Open' | 'Done'>();
  const back = new Set<Link>();
  for (const { id } of items) {
    const path: { readonly id: string; next: number }[] = state.has(id) ? [] : [{ id, next: 0 }];
    if (path.length > 0) state.set(id, 'Open');
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const link = out.get(top.id)?.[top.next++];
      if (!link) {
        state.set(top.id, 'Done');
        path.pop();
      } else if (state.get(link.to) === 'Open') back.add(link);
      else if (!state.has(link.to)) {
        state.set(link.to, 'Open');
        path.push({ id: link.to, next: 0 });
      }
    }
  }
  const turned = unique.map((link) =>
    back.has(link) ? { from: link.to, to: link.from, reversed: true } : { ...link, reversed: false },
  );
  // There and back between two boxes: one lane is enough.
  return turned.filter((l) => !l.reversed || !out.get(l.from)?.some((o) => o.to === l.to && !back.has(o)));
}

/** The layer of each: below all its callers, and the first of those with room (Coffman and Graham, 1972). */
function depthsOf(items: readonly Item[], links: readonly Link[], room: Room): Map<string, number> {
  const callers = Map.groupBy(links, (link) => link.to);
  const depths = new Map<string, number>();
  const used: number[] = [];
  const waiting = new Set(items);
  while (waiting.size > 0) {
    for (const item of [...waiting]) {
      const above = (callers.get(item.id) ?? []).map((link) => depths.get(link.from));
      if (above.some((depth) => depth === undefined)) continue;
      let depth = Math.max(-1, ...above.map((d) => d ?? 0)) + 1;
      while ((used[depth] ?? 0) > 0 && (used[depth] ?? 0) + item.width > room.maxWidth) depth += 1;
      used[depth] = (used[depth] ?? 0) + item.width + room.gapX;
      depths.set(item.id, depth);
      waiting.delete(item);
    }
  }
  return depths;
}

/** Boxes and lanes, each with its neighbours one layer up and down; lanes are added to `depths`. */
function cellsOf(
  items: readonly Item[],
  links: readonly Downward[],
  depths: Map<string, number>,
): { readonly cells: Map<string, Cell>; readonly lanes: ReadonlyMap<string, readonly string[]> } {
  const cells = new Map<string, Cell>();
  const add = (item: Item): void => {
    cells.set(item.id, { ...item, order: cells.size, up: [], down: [] });
  };
  for (const item of items) add(item);
  const lanes = new Map<string, readonly string[]>();
  for (const { from, to, reversed } of links) {
    const [first, last] = [depths.get(from) ?? 0, depths.get(to) ?? 0];
    const names = Array.from({ length: last - first - 1 }, (_, i) => `${from} ${to} ${String(i)}`);
    for (const [i, id] of names.entries()) {
      add({ id, width: LANE, height: 0 });
      depths.set(id, first + 1 + i);
    }
    const way = [from, ...names, to];
    for (const [i, id] of way.slice(0, -1).entries()) {
      cells.get(id)?.down.push(way[i + 1] ?? '');
      cells.get(way[i + 1] ?? '')?.up.push(id);
    }
    const key = reversed ? linkId({ from: to, to: from }) : linkId({ from, to });
    if (names.length > 0) lanes.set(key, reversed ? names.toReversed() : names);
  }
  return { cells, lanes };
}

type Rows = readonly (readonly string[])[];

function rowsOf(cells: ReadonlyMap<string, Cell>, depths: ReadonlyMap<string, number>): Rows {
  const byDepth = Map.groupBy(cells.keys(), (id) => depths.get(id) ?? 0);
  return [...byDepth.keys()].sort((a, b) => a - b).map((depth) => byDepth.get(depth) ?? []);
}

/** Each cell to the middle of its neighbours, down and up again and again; the order with the fewest crossings is kept. */
function ordered(rows: Rows, cells: ReadonlyMap<string, Cell>): Rows {
  let best = rows;
  let fewest = crossings(rows, cells);
  let next = rows;
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const side = sweep % 2 === 0 ? 'up' : 'down';
    next = swept(next, cells, side);
    const count = crossings(next, cells);
    if (count < fewest) [best, fewest] = [next, count];
  }
  return best;
}

function swept(rows: Rows, cells: ReadonlyMap<string, Cell>, side: 'up' | 'down'): Rows {
  const out = [...rows];
  const indices = [...rows.keys()];
  for (const i of side === 'up' ? indices : indices.reverse()) {
    const beside = out[side === 'up' ? i - 1 : i + 1];
    if (!beside) continue;
    const at = new Map(beside.map((id, n) => [id, n / beside.length] as const));
    const row = out[i] ?? [];
    const middle = new Map(
      row.map((id, n) => {
        const places = (cells.get(id)?.[side] ?? []).flatMap((other) => at.get(other) ?? []);
        return [id, places.length > 0 ? mean(places) : n / row.length] as const;
      }),
    );
    out[i] = [...row].sort((a, b) => (middle.get(a) ?? 0) - (middle.get(b) ?? 0));
  }
  return out;
}

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

/** Beyond this many links in a layer nobody sees the difference. */
const COUNTED = 400;

function crossings(rows: Rows, cells: ReadonlyMap<string, Cell>): number {
  let count = 0;
  for (const [i, row] of rows.entries()) {
    const at = new Map((rows[i + 1] ?? []).map((id, n) => [id, n] as const));
    const ends = row.flatMap((id) =>
      (cells.get(id)?.down ?? []).map((to) => at.get(to) ?? 0).sort((a, b) => a - b),
    );
    if (ends.length > COUNTED) continue;
    for (const [n, end] of ends.entries()) for (const later of ends.slice(n + 1)) if (later < end) count += 1;
  }
  return count;
}

/** The middle of each cell from left to right. */
function acrossOf(rows: Rows, cells: ReadonlyMap<string, Cell>, room: Room): ReadonlyMap<string, number> {
  const xs = new Map<string, number>();
  const width = Math.max(...rows.map((row) => offsetsOf(row, cells, room).width), 0);
  for (const row of rows) settle(row, cells, room, xs, width, () => width / 2);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const side = sweep % 2 === 0 ? 'up' : 'down';
    for (const row of side === 'up' ? rows : rows.toReversed())
      settle(row, cells, room, xs, width, (cell) => {
        const places = cell[side].flatMap((other) => xs.get(other) ?? []);
        return places.length > 0 ? mean(places) : (xs.get(cell.id) ?? 0);
      });
  }
  return xs;
}

function offsetsOf(row: readonly string[], cells: ReadonlyMap<string, Cell>, { gapX }: Room) {
  let width = 0;
  const middles = row.map((id) => {
    const own = cells.get(id)?.width ?? 0;
    const middle = width + own / 2;
    width += own + gapX;
    return middle;
  });
  return { middles, width: Math.max(0, width - gapX) };
}

/** As near to what each cell wishes as their order and widths allow: least squares, by pooling neighbours that collide. */
function settle(
  row: readonly string[],
  cells: ReadonlyMap<string, Cell>,
  room: Room,
  xs: Map<string, number>,
  width: number,
  wish: (cell: Cell) => number,
): void {
  const offsets = offsetsOf(row, cells, room);
  const pools: { sum: number; count: number }[] = [];
  for (const [i, id] of row.entries()) {
    const cell = cells.get(id);
    if (!cell) continue;
    let pool = { sum: wish(cell) - (offsets.middles[i] ?? 0), count: 1 };
    for (
      let last = pools.at(-1);
      last && last.sum / last.count >= pool.sum / pool.count;
      last = pools.at(-1)
    ) {
      pools.pop();
      pool = { sum: last.sum + pool.sum, count: last.count + pool.count };
    }
    pools.push(pool);
  }
  const shifts = pools.flatMap(({ sum, count }) => Array<number>(count).fill(sum / count));
  for (const [i, id] of row.entries()) {
    const shift = Math.min(Math.max(0, shifts[i] ?? 0), width - offsets.width);
    xs.set(id, shift + (offsets.middles[i] ?? 0));
  }
}

function placed(
  rows: Rows,
  cells: ReadonlyMap<string, Cell>,
  xs: ReadonlyMap<string, number>,
  lanes: ReadonlyMap<string, readonly string[]>,
  room: Room,
): Layers {
  const boxes = new Map<string, Box>();
  let y = 0;
  let width = 0;
  for (const row of rows) {
    const layer = row.flatMap((id): readonly Omit<Box, 'y' | 'layerEnd'>[] => {
      const cell = cells.get(id);
      return cell
        ? [{ id, width: cell.width, height: cell.height, x: (xs.get(id) ?? 0) - cell.width / 2 }]
        : [];
    });
    if (y > 0) y += room.above(layer);
    const height = Math.max(...layer.map((cell) => cell.height), 0);
    for (const cell of layer) {
      // A lane is as high as its layer.
      boxes.set(cell.id, {
        ...cell,
        y,
        height: cell.height === 0 ? height : cell.height,
        layerEnd: y + height,
      });
      width = Math.max(width, cell.x + cell.width);
    }
    y += height;
  }
  const ways = [...lanes].map(([link, ids]) => [link, ids.flatMap((id) => boxes.get(id) ?? [])] as const);
  return { width, height: y, boxes, lanes: new Map(ways) };
}
