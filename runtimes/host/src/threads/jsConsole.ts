/**
 * `console` inside a function's thread: each call becomes one log message with its level.
 *
 * Owns: formatting (Node's own) and the bound on how much a function may say: a loop that logs would else fill the main
 * thread with messages, and so harm the other functions of the unit.
 */
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { cutLine } from './lines.ts';
import type { LogLevel } from './runtime.ts';

/** Lines that one thread may log within a second; what is above is counted and said at the end of it. */
export const LINES_PER_SECOND = 1_000;

export type Line = (level: LogLevel, text: string, id?: number) => void;

/** Passes lines on, at most LINES_PER_SECOND of them. */
export function bounded(line: Line, now: () => number = () => performance.now()): Line {
  let windowStartMs = -Infinity;
  let count = 0;
  return (level, text, id) => {
    if (now() - windowStartMs >= 1_000) {
      if (count > LINES_PER_SECOND)
        line('warn', `${String(count - LINES_PER_SECOND)} log lines were dropped`);
      windowStartMs = now();
      count = 0;
    }
    count += 1;
    if (count <= LINES_PER_SECOND) line(level, cutLine(text), id);
  };
}

const LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  warn: 'warn',
  error: 'error',
  trace: 'error',
  assert: 'error',
};

const METHODS = [
  ...['log', 'info', 'debug', 'warn', 'error', 'trace', 'assert', 'dir', 'dirxml', 'table'],
  ...['group', 'groupCollapsed', 'groupEnd', 'count', 'countReset', 'time', 'timeEnd', 'timeLog'],
] as const;

/** Replaces the methods of the global console, which is also what `node:console` exports. */
export function captureConsole(line: Line): void {
  let level: LogLevel = 'info';
  const sink = new Writable({
    decodeStrings: false,
    write: (text: string, _encoding, done) => {
      line(level, text.replace(/\n$/, ''));
      done();
    },
  });
  const own = new Console({ stdout: sink, stderr: sink, colorMode: false });
  for (const method of METHODS) {
    const write = own[method].bind(own) as (...args: unknown[]) => void;
    console[method] = (...args: unknown[]): void => {
      level = LEVELS[method] ?? 'info';
      write(...args);
      level = 'info';
    };
  }
}
