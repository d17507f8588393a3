/**
 * What comes along with the tool: its version and the example of the demo.
 *
 * Owns: where they lie, which differs between a checkout and a package (see `../scripts/pack.ts`).
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export function version(): string {
  const { version: own } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return own;
}

/** As short as it can be typed from here. */
export function exampleFolder(): string {
  const packed = fileURLToPath(new URL('./examples/traffic', import.meta.url));
  const folder = existsSync(packed)
    ? packed
    : fileURLToPath(new URL('../../examples/traffic', import.meta.url));
  const near = relative(process.cwd(), folder);
  return near.startsWith('..') ? folder : near;
}
