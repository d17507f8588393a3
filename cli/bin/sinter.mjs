#!/usr/bin/env node
/**
 * Starts the command-line tool with a Node that can run its source.
 *
 * Owns: finding Node 24 or newer, and being a transparent parent where another one is needed: signals go through, the
 * exit code comes back. Plain JavaScript that Node 20 reads; everything else is in `src/main.ts`.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;
const main = new URL('../src/main.ts', import.meta.url);

if (Number(process.versions.node.split('.')[0]) >= NEEDED) await import(main.href);
else runWith(pinnedNode());

/** The Node that comes along as a dependency; there are builds for Linux on x64 and arm64. */
function pinnedNode() {
  const name = `node-linux-${process.arch}`;
  try {
    if (process.platform === 'linux') return createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch (cause) {
    if (cause.code !== 'MODULE_NOT_FOUND') throw cause;
  }
  process.stderr.write(
    `sinter needs Node ${NEEDED} or newer, this is ${process.version}, and the package ${name} is not installed.\n` +
      `Run 'npm ci' (with optional dependencies) in the project, or install Node ${NEEDED}: https://nodejs.org\n`,
  );
  process.exit(1);
}

/** The pipe tells the child when this process is gone, however it ended. */
function runWith(node) {
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], {
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
