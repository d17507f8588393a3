/** Running the tool as its user does: the launcher as a child process, and a terminal that keeps what was written. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { colorsFor } from '../src/terminal.ts';
import type { Stream, Terminal } from '../src/terminal.ts';

export const TRAFFIC = fileURLToPath(new URL('../../examples/traffic', import.meta.url));
const LAUNCHER = fileURLToPath(new URL('../bin/sinter.mjs', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface StartOptions {
  /** An installed tool, in place of the one of this checkout; `env` is then all of its environment. */
  readonly program?: string;
  readonly node?: string;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** The tool while it runs. */
export class Sinter {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  out = '';
  err = '';
  readonly #watchers = new Set<() => void>();

  constructor(words: readonly string[], options: StartOptions = {}) {
    const { program, node = process.execPath, input, env = {}, cwd } = options;
    this.process = spawn(program ?? node, program === undefined ? [LAUNCHER, ...words] : words, {
      env: program === undefined ? { ...process.env, ...env } : env,
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.process.stdin?.on('error', () => undefined); // it ended without having read its input
    this.process.stdin?.end(input);
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      this.#tell();
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
      this.#tell();
    });
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        resolve({ code, signal, out: this.out, err: this.err });
        this.#tell();
      });
    });
  }

  /** Resolves when standard output and error together match; rejects at the limit, or when it has ended before. */
  async until(pattern: RegExp, limitMs = 30_000): Promise<void> {
    const failure = (why: string): Error =>
      new Error(`${why} before ${String(pattern)}\n--- out\n${this.out}\n--- err\n${this.err}`);
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        if (error) reject(error);
        else resolve();
      };
      const look = (): void => {
        if (pattern.test(this.out + this.err)) done();
        else if (this.process.exitCode !== null || this.process.signalCode !== null) done(failure('ended'));
      };
      const timer = setTimeout(() => {
        done(failure(`${String(limitMs)} ms passed`));
      }, limitMs);
      this.#watchers.add(look);
      look();
    });
  }

  #tell(): void {
    for (const look of [...this.#watchers]) look();
  }
}

export const sinter = (words: readonly string[], options?: StartOptions): Promise<Ended> =>
  new Sinter(words, options).ended;

export class KeptStream implements Stream {
  text = '';
  readonly isTty: boolean;
  readonly colors: Stream['colors'];

  constructor(isTty = false) {
    this.isTty = isTty;
    this.colors = colorsFor(isTty, {});
  }

  write(chunk: string | Uint8Array): void {
    this.text += typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk);
  }

  line(text = ''): void {
    this.write(`${text}\n`);
  }
}

export interface KeptTerminal extends Terminal {
  readonly out: KeptStream;
  readonly err: KeptStream;
}

export const keptTerminal = (input = ''): KeptTerminal => ({
  out: new KeptStream(),
  err: new KeptStream(),
  readInput: () => Promise.resolve(Buffer.from(input)),
  command: 'sinter',
  environment: {},
});

export interface Folder {
  readonly path: string;
  write(name: string, content: string | Uint8Array): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A folder of its own, with these files or a copy of that folder; removed at the end of its block. */
export async function folderWith(content: Readonly<Record<string, string>> | string = {}): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'sinter-cli-'));
  const write = async (name: string, text: string | Uint8Array): Promise<void> => {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  };
  if (typeof content === 'string') await cp(content, path, { recursive: true });
  else for (const [name, text] of Object.entries(content)) await write(name, text);
  return { path, write, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
