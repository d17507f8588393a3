/** Contrast by WCAG 2.2: 4.5 to 1 for text, 3 to 1 for lines that mean something. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { STYLE } from './style.ts';

/** What stands on what. */
const TEXT = [
  ['ink', ['paper', 'sheet', 'unit', 'fn']],
  ['soft', ['paper', 'sheet', 'unit', 'fn']],
  ['accent', ['paper', 'sheet']],
  ['process', ['sheet']],
  ['bus', ['sheet']],
  ['queue', ['sheet']],
  ['good', ['paper', 'sheet']],
  ['bad', ['paper', 'sheet']],
  ['wait', ['sheet']],
  ['sheet', ['good', 'accent']],
] as const;
const LINES = [
  ['accent', ['sheet', 'unit', 'fn', 'paper']],
  ['edge', ['sheet', 'unit']],
  ['unit-line', ['sheet']],
  ['fn-line', ['unit', 'fn']],
  ['process', ['unit']],
  ['bus', ['unit']],
  ['queue', ['unit']],
] as const;

/** Variables of the first `:root`, and those of the second, which is for the dark. */
const palettes = [...STYLE.matchAll(/:root \{([^}]*)\}/g)].map(
  ([, body = '']) =>
    new Map([...body.matchAll(/--([\w-]+): (#\w+)/g)].map(([, name = '', color = '']) => [name, color])),
);

function luminance(color: string): number {
  const digits = color.length === 4 ? color.slice(1).replace(/./g, '$&$&') : color.slice(1);
  const [r = 0, g = 0, b = 0] = [0, 2, 4].map((i) => {
    const c = parseInt(digits.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

it('everything can be read, by day and by night', () => {
  assert.equal(palettes.length, 2);
  const faint = palettes.flatMap((palette, i) =>
    [...TEXT.map((pair) => [...pair, 4.5] as const), ...LINES.map((pair) => [...pair, 3] as const)].flatMap(
      ([front, backs, least]) =>
        backs.flatMap((back) => {
          const ratio = contrast(palette.get(front) ?? '#777', palette.get(back) ?? '#777');
          return ratio >= least
            ? []
            : [`${i === 0 ? 'light' : 'dark'}: ${front} on ${back} ${ratio.toFixed(2)}`];
        }),
    ),
  );
  assert.deepEqual(faint, []);
});
