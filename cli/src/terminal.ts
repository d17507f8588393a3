/**
 * What a command meets: where output goes (results to `out`, everything else to `err`), what the user typed to get here, and
 * the environment.
 *
 * Owns: the port that commands write to, and when there is colour. `main.ts` makes the real one, tests make one that
 * keeps what was written. Invariant: a line that came from elsewhere (a function's message, a file name) cannot steer
 * the terminal: `plain` takes control characters out.
 */
import pc from 'picocolors';

export type Colors = ReturnType<typeof pc.createColors>;

export interface Stream {
  /** As it is: no line end is added. */
  write(chunk: string | Uint8Array): void;
  line(text?: string): void;
  readonly isTty: boolean;
  readonly colors: Colors;
}

export interface Terminal {
  readonly out: Stream;
  readonly err: Stream;
  /** Everything on standard input. */
  readInput(): Promise<Uint8Array>;
  /** How this tool is called from here, for commands that can be pasted. */
  readonly command: CalledAs;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** `npx sinter`: from a checkout, where it lies on no path. `kubectl sinter`: as kubectl's plugin. */
export type CalledAs = 'sinter' | 'npx sinter' | 'kubectl sinter';

/** For commands about a run: kubectl's plugin means a cluster wherever nothing else is said. */
export const aboutRuns = (command: CalledAs): string => (command === 'kubectl sinter' ? 'sinter' : command);

/** By the path of the program, and whether it runs from its source. kubectl finds its plugins by their names. */
export function calledAs(program: string, fromSource: boolean): CalledAs {
  if (/(^|[/\\])kubectl[-_]sinter(\.\w+)?$/.test(program)) return 'kubectl sinter';
  return fromSource ? 'npx sinter' : 'sinter';
}

/** Colour on a terminal only, and never where NO_COLOR is set (https://no-color.org) or the terminal is dumb. */
export function colorsFor(isTty: boolean, env: Readonly<Record<string, string | undefined>>): Colors {
  const { NO_COLOR, TERM } = env;
  // Never undefined: the library would then decide by itself, and under CI it decides for colour.
  if (!isTty || TERM === 'dumb') return pc.createColors(false);
  return pc.createColors(NO_COLOR === undefined || NO_COLOR === '');
}

/** Text from elsewhere without what would steer a terminal; line ends and tabs stay. */
export const plain = (text: string): string =>
  text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\u00b7');
