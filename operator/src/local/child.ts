/**
 * A child process of a run: a host or the gateway.
 *
 * Owns: starting it from its bundle, handing it its bootstrap on standard input, reading its lines, and ending it.
 * Invariants:
 *  1. Standard input stays open as long as this process lives: its end tells the child that the parent is gone, so that
 *     even a `kill -9` of the parent leaves no child.
 *  2. The child has a session of its own: a Ctrl-C reaches it through us, in order, and not from the terminal.
 *  3. Its environment holds nothing but what it is given.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  /** Path of its bundle. */
  readonly bundle: string;
  /** Written as JSON to the first line of its standard input. */
  readonly bootstrap: object;
  readonly env: Readonly<Record<string, string>>;
  /** Each line of its output; JSON objects parsed, others as `message`. */
  readonly onLine: (line: Readonly<Record<string, unknown>>) => void;
}

/** A crash may print the line of source on which it happened; nobody reads more than this. */
const LINE_LIMIT = 64 * 1024;

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly pid: number | undefined;
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;
  #ended = false;

  constructor(options: ChildOptions) {
    this.#process = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', options.bundle], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...options.env, NODE_ENV: 'production' },
    });
    this.pid = this.#process.pid;
    this.exited = new Promise((resolve) => {
      this.#process.once('error', () => {
        this.#ended = true;
        resolve({ code: 127, signal: null });
      });
      this.#process.once('exit', (code, signal) => {
        this.#ended = true;
        resolve({ code, signal });
      });
    });
    this.#process.stdin?.on('error', () => undefined); // it ended before it had read its bootstrap: `exited` says so
    this.#process.stdin?.write(`${JSON.stringify(options.bootstrap)}\n`);
    for (const stream of [this.#process.stdout, this.#process.stderr])
      if (stream)
        createInterface({ input: stream }).on('line', (line) => {
          options.onLine(parsed(line.slice(0, LINE_LIMIT)));
        });
  }

  get ended(): boolean {
    return this.#ended;
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#ended) this.#process.kill(signal);
  }

  /** Asks it to end and waits; after `graceMs` it is killed. */
  async stop(graceMs: number): Promise<void> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.kill('SIGKILL');
    }, graceMs);
    await this.exited;
    clearTimeout(timer);
  }
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch {
    return { level: 'info', message: line };
  }
  return { level: 'info', message: line };
}
