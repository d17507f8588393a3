/** The version of the tool: that of its package, from source and as a package alike. */
import { readFileSync } from 'node:fs';

export const version = (): string => {
  const { version: own } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return own;
};
