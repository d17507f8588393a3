/**
 * Bundles every process into one file each (D16): one that serves functions does so in well under 100 ms only if it reads
 * one file, and the image needs no packages. Run by `npm run build`, by `npm ci` (prepare), and before demo and tests.
 */
import { build as bundle } from 'esbuild';
import type { Plugin } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Bundle {
  readonly from: string;
  readonly entries: readonly string[];
  /** Where TLS is loaded when a server asks for it. */
  readonly lazyTls: boolean;
}

const bundles: readonly Bundle[] = [
  {
    from: 'runtimes/host',
    entries: ['src/main.ts', 'src/threads/jsWorker.ts', 'src/threads/wasmWorker.ts'],
    lazyTls: true,
  },
  { from: 'runtimes/gateway', entries: ['src/main.ts'], lazyTls: true },
  // Its Kubernetes client asks more of Node's TLS than a stand-in has.
  { from: 'operator', entries: ['src/main.ts'], lazyTls: false },
];

/** The NATS client is CommonJS and asks for Node's own modules by `require`, which an ES module has to be given. */
const REQUIRE =
  "import { createRequire as sinterRequire } from 'node:module'; const require = sinterRequire(import.meta.url);";

/** The NATS client loads Node's TLS at its start, a third of its loading time, and needs it only where a server asks for it. */
const LAZY_TLS = `
let tls;
class NotLoaded {} // nothing can be an instance of what is not loaded yet
module.exports = {
  connect: (...args) => (tls ??= require('node:tls')).connect(...args),
  get TLSSocket() { return tls ? tls.TLSSocket : NotLoaded; },
};
`;

const lazyTls: Plugin = {
  name: 'lazy-tls',
  setup(build) {
    build.onResolve({ filter: /^(node:)?tls$/ }, ({ namespace, path }) =>
      namespace === 'lazy-tls' ? { path, external: true } : { path, namespace: 'lazy-tls' },
    );
    build.onLoad({ filter: /.*/, namespace: 'lazy-tls' }, () => ({ contents: LAZY_TLS, loader: 'js' }));
  },
};

/** Node parses a module twice where nothing says beforehand what it is; in the image the files stand alone. */
const ES_MODULES = `${JSON.stringify({ type: 'module' })}\n`;

for (const { from, entries, lazyTls: isLazy } of bundles) {
  if (!entries.every((entry) => existsSync(`${root}${from}/${entry}`))) continue;
  const outdir = `${root}${from}/dist`;
  const { metafile } = await bundle({
    entryPoints: entries.map((e) => `${root}${from}/${e}`),
    outdir,
    entryNames: '[name]',
    bundle: true,
    // Names and lines stay: a stack trace of a crashed host has to be readable.
    minifySyntax: true,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: REQUIRE },
    plugins: isLazy ? [lazyTls] : [],
    logLevel: 'warning',
  });
  await writeFile(`${outdir}/package.json`, ES_MODULES);
  if (process.argv.includes('--quiet')) continue;
  for (const file of Object.keys(metafile.outputs)) {
    const { size } = await stat(`${process.cwd()}/${file}`);
    process.stdout.write(`${file} ${String(Math.ceil(size / 1024))} KiB\n`);
  }
}
