/** Where the bundles lie that a run starts as processes of their own; `npm run build` makes them. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Beside the bundle of the tool in its package; in a checkout where the build puts them. */
function bundle(runtime: string): string {
  const packed = fileURLToPath(new URL(`./${runtime}/main.js`, import.meta.url));
  if (existsSync(packed)) return packed;
  return fileURLToPath(new URL(`../../../runtimes/${runtime}/dist/main.js`, import.meta.url));
}

export const HOST_BUNDLE = bundle('host');
export const GATEWAY_BUNDLE = bundle('gateway');

/** Throws, with what to do, where a bundle has not been built. */
export function assertBuilt(): void {
  const missing = [HOST_BUNDLE, GATEWAY_BUNDLE].filter((path) => !existsSync(path));
  if (missing.length > 0) throw new Error(`not built: ${missing.join(', ')} is missing; run 'npm run build'`);
}
