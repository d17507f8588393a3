/**
 * What `npm pack` takes along: everything that the tool needs, in `dist/`, so that a package depends on nothing but a Node.
 *
 *   main.js, chunks      the tool, in parts that are loaded when they are needed
 *   host/, gateway/      the processes of a run, as `scripts/build.ts` makes them
 *   examples/traffic/    the application of the demo
 *   LICENSE, NOTICES.txt ours, and those of the packages that are bundled
 *
 * Run by npm before it packs (prepack), after the build; `--clean` takes it away afterwards (postpack), so that nothing in a
 * checkout is ever older than its source.
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'cli', 'dist');

/** CommonJS packages ask for Node's own modules by `require`, which an ES module has to be given. */
const REQUIRE =
  "import { createRequire as sinterRequire } from 'node:module'; const require = sinterRequire(import.meta.url);";

await rm(dist, { recursive: true, force: true });
if (!process.argv.includes('--clean')) await pack();

async function pack(): Promise<void> {
  const inputs = [...(await bundleTool()), ...(await copyRuntimes())];
  await cp(join(root, 'examples', 'traffic'), join(dist, 'examples', 'traffic'), {
    recursive: true,
    filter: (path) => !['test', 'expected'].includes(relative(join(root, 'examples', 'traffic'), path)),
  });
  await cp(join(root, 'LICENSE'), join(dist, 'LICENSE'));
  await writeFile(join(dist, 'NOTICES.txt'), await notices(inputs));
}

/** Gives the files that went in, relative to the root. */
async function bundleTool(): Promise<readonly string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['cli/src/main.ts'],
    outdir: dist,
    entryNames: 'main',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    // Names stay: the trace of a defect has to be readable.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: REQUIRE },
    logLevel: 'warning',
  });
  await writeFile(join(dist, 'package.json'), `${JSON.stringify({ type: 'module' })}\n`);
  return Object.keys(metafile.inputs);
}

/** What is in them is in the tool too, but for what only they import. */
async function copyRuntimes(): Promise<readonly string[]> {
  for (const runtime of ['host', 'gateway']) {
    const to = join(dist, runtime);
    await mkdir(to, { recursive: true });
    await cp(join(root, 'runtimes', runtime, 'dist'), to, { recursive: true });
  }
  const folders = await Promise.all(
    ['host', 'gateway', 'bus'].map((name) => packagesOf(join(root, 'runtimes', name))),
  );
  return folders.flat();
}

/** Folders of the packages that a package names, relative to the root, each as a path in it. */
async function packagesOf(folder: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, 'package.json'), 'utf8');
  const { dependencies = {} } = JSON.parse(text) as { readonly dependencies?: Record<string, string> };
  return Object.keys(dependencies).map((name) => join('node_modules', name, 'package.json'));
}

/** The licences of the packages that these files belong to, by name; our own has its file. */
async function notices(files: readonly string[]): Promise<string> {
  const folders = new Set(
    files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
  );
  const texts = await Promise.all([...folders].sort().map((folder) => noticeOf(join(root, folder))));
  return texts.filter((text) => text !== '').join(`\n${'-'.repeat(80)}\n\n`);
}

async function noticeOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  if (name.startsWith('@sinter/')) return '';
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying)(\.|-|$)/i.test(file));
  const texts = await Promise.all(files.sort().map((file) => readFile(join(folder, file), 'utf8')));
  return (
    [`${name} ${version} (${license ?? 'see below'})`, ...texts.map((text) => text.trim())].join('\n\n') +
    '\n'
  );
}
