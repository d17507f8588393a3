/**
 * Text within 100 columns: wrapping, cutting, tables.
 *
 * Owns: widths. Everything here is pure and knows no colour: widths are counted in code points, so colour is put on
 * after the layout, by whole cells (`style`).
 * Invariant: no line is longer than WIDTH, however long a name is.
 */
export const WIDTH = 100;

const pointsOf = (text: string): readonly string[] => Array.from(text);

export const widthOf = (text: string): number => pointsOf(text).length;

/** Cut in the middle with `…`, because names differ at both ends: `traffic-check-…-7c1e02ab9f`. */
export function middle(text: string, max: number): string {
  const points = pointsOf(text);
  if (points.length <= max) return text;
  if (max <= 1) return '…'.slice(0, max);
  const head = Math.ceil((max - 1) / 2);
  const tail = max - 1 - head;
  return `${points.slice(0, head).join('')}…${tail === 0 ? '' : points.slice(-tail).join('')}`;
}

/** Lines of at most `width`; a word that is longer than a line is broken. Line ends in the text stay. */
export function wrap(text: string, width: number): readonly string[] {
  return text.split('\n').flatMap((paragraph) => wrapParagraph(paragraph, Math.max(width, 1)));
}

function wrapParagraph(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((w) => w !== '')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (widthOf(joined) <= width) {
      line = joined;
      continue;
    }
    if (line !== '') lines.push(line);
    const pieces = broken(word, width);
    lines.push(...pieces.slice(0, -1));
    line = pieces[pieces.length - 1] ?? '';
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line];
}

function broken(word: string, width: number): readonly string[] {
  const points = pointsOf(word);
  const pieces: string[] = [];
  for (let at = 0; at < points.length; at += width) pieces.push(points.slice(at, at + width).join(''));
  return pieces;
}

/** `first` before the first line, as many spaces before the others. */
export function hanging(first: string, text: string, width = WIDTH): readonly string[] {
  const indent = widthOf(first);
  return wrap(text, width - indent).map((line, i) => `${i === 0 ? first : ' '.repeat(indent)}${line}`);
}

export interface Column {
  readonly title: string;
  /** How a cell that does not fit is handled; Cut where it is not given. */
  readonly long?: 'Cut' | 'Wrap';
  readonly align?: 'Right';
  /** Puts colour on a cell after its width was settled. */
  readonly style?: (text: string) => string;
}

const GAP = 2;

/** Rows under their titles, two spaces apart; the widest columns give way until it fits. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { readonly width?: number; readonly title?: (text: string) => string } = {},
): readonly string[] {
  const widths = widthsOf(columns, rows, options.width ?? WIDTH);
  const plainColumns = columns.map(({ title: _, style: __, ...rest }) => ({ ...rest, title: '' }));
  const titles = columns.some((c) => c.title !== '')
    ? rowLines(
        plainColumns,
        columns.map((c) => c.title),
        widths,
      ).map(options.title ?? ((text) => text))
    : [];
  return [...titles, ...rows.flatMap((row) => rowLines(columns, row, widths))];
}

function widthsOf(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  total: number,
): readonly number[] {
  const widths = columns.map(({ title }, i) =>
    Math.max(widthOf(title), ...rows.map((row) => widthOf(row[i] ?? ''))),
  );
  const room = total - GAP * (columns.length - 1);
  let over = widths.reduce((sum, w) => sum + w, 0) - room;
  while (over > 0) {
    const widest = Math.max(...widths);
    if (widest <= 1) break;
    widths[widths.indexOf(widest)] = widest - 1;
    over -= 1;
  }
  return widths;
}

function rowLines(
  columns: readonly Column[],
  row: readonly string[],
  widths: readonly number[],
): readonly string[] {
  const cells = columns.map(({ long }, i) => {
    const [text, width] = [row[i] ?? '', widths[i] ?? 0];
    return long === 'Wrap' ? wrap(text, width) : [middle(text, width)];
  });
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    columns
      .map((column, i) => cell(column, cells[i]?.[line] ?? '', widths[i] ?? 0, i === columns.length - 1))
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

function cell({ align, style }: Column, text: string, width: number, last: boolean): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  const shown = style && text !== '' ? style(text) : text;
  if (align === 'Right') return `${space}${shown}`;
  return last ? shown : `${shown}${space}`;
}

/** `1 unit`, `2 units`. */
export const count = (n: number, word: string): string => `${String(n)} ${word}${n === 1 ? '' : 's'}`;

/** `12.3 ms`, `0.41 ms`, `1.24 s`: three figures, no more than is known. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  if (ms >= 100) return `${ms.toFixed(0)} ms`;
  return `${ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}
