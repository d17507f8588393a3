/**
 * The command-line tool: composition root. The only file here that reads the environment, and the only one that sets
 * the exit code.
 */
import { CommanderError } from 'commander';
import { EXIT, Interrupted, Refusal } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { exitCodeOf } from './interrupt.ts';
import { programFor } from './program.ts';
import { calledAs, colorsFor, plain } from './terminal.ts';
import type { Stream, Terminal } from './terminal.ts';
import { hanging } from './text/layout.ts';
import { version } from './package.ts';

/** For what is written to be read; whatever still lingers after that is not waited for. */
const LINGER_MS = 2_000;

process.exitCode = await main(process.argv.slice(2), terminalOf(process));
setTimeout(() => process.exit(), LINGER_MS).unref();

async function main(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  try {
    await programFor(terminal, (ended) => (code = ended)).parseAsync(words, { from: 'user' });
    return code;
  } catch (cause) {
    return codeOf(cause, terminal);
  }
}

/** Says what went wrong, and with which code the process ends. */
function codeOf(cause: unknown, { err }: Terminal): ExitCode {
  if (cause instanceof CommanderError) return cause.exitCode === 0 ? EXIT.done : EXIT.usage; // it has said so itself
  if (cause instanceof Interrupted) return cause.exitCode;
  if (cause instanceof Refusal) {
    for (const line of hanging('error: ', plain(cause.message))) err.line(line);
    return cause.exitCode;
  }
  const stack = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  err.line(`error: this is a defect of sinter ${version()}; please report it with what follows`);
  err.line(stack);
  return EXIT.defect;
}

function terminalOf(at: NodeJS.Process): Terminal {
  return {
    out: streamOf(at.stdout, at.env),
    err: streamOf(at.stderr, at.env),
    readInput: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of at.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
      return Buffer.concat(chunks);
    },
    command: calledAs(at.argv[1] ?? '', import.meta.url.endsWith('.ts')),
    environment: at.env,
  };
}

function streamOf(to: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Stream {
  // `sinter explain … | head` is no mistake: the reader has seen enough. A run ends by it as by a closed terminal.
  to.on('error', (cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EPIPE') throw cause;
    if (!process.emit('SIGHUP', 'SIGHUP')) process.exit(exitCodeOf('SIGPIPE'));
  });
  return {
    write: (chunk) => to.write(chunk),
    line: (text = '') => to.write(`${text}\n`),
    isTty: to.isTTY,
    colors: colorsFor(to.isTTY, env),
  };
}
