/**
 * The commands and their options.
 *
 * Owns: names, help texts, and turning words of a command line into options; nothing is done here. A mistake is a usage
 * error (exit code 2) with a suggestion.
 */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import type { ExitCode } from './exit.ts';
import type { Terminal } from './terminal.ts';
import { hanging, WIDTH } from './text/layout.ts';

const EXIT_CODES = `
Exit codes: 0 done; 1 what was given is wrong or something is missing; 2 usage; 3 a call failed;
4 no run was found, or several; 5 a defect of sinter itself; 128 + n ended by signal n.`;

export const version = (): string => {
  const { version: own } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return own;
};

/** `onExit` is told how the chosen command ended. Parsing throws a CommanderError where there is nothing to run. */
export function programFor(terminal: Terminal, onExit: (code: ExitCode) => void): Command {
  const program = new Command('sinter')
    .description('Runs graphs of functions, and explains what runs where, as what, and why.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'explain a command')
    .addHelpText('after', EXIT_CODES)
    .configureHelp({ helpWidth: WIDTH, showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => terminal.out.write(text),
      writeErr: (text) => terminal.err.write(text),
      outputError: (text, write) => {
        write(
          `${text
            .trimEnd()
            .split('\n')
            .flatMap((line) => hanging('', line))
            .join('\n')}\n`,
        );
      },
      getOutHelpWidth: () => WIDTH,
      getErrHelpWidth: () => WIDTH,
    })
    .exitOverride();
  addRun(program, terminal, onExit);
  addDemo(program, terminal, onExit);
  addInvoke(program, terminal, onExit);
  addPlan(program, terminal, onExit);
  addExplain(program, terminal, onExit);
  program
    .command('version')
    .description('print the version of sinter and of the Node that runs it')
    .action(() => {
      terminal.out.line(
        `sinter ${version()} (Node ${process.versions.node}, ${process.platform} ${process.arch})`,
      );
    });
  return program;
}

type Adder = (program: Command, terminal: Terminal, onExit: (code: ExitCode) => void) => void;

/** Commands are loaded when they are called: most need neither the bus nor the planner. */
const addRun: Adder = (program, terminal, onExit) => {
  program
    .command('run')
    .description('run the manifests of a file or folder on this machine, and follow changes of the files')
    .argument('<path>', 'a kustomization folder, a folder of *.yaml, or a file')
    .option(
      '--machines <n>',
      'pretend n machines: a hub and n leaves; machine 1 is Cloud, the others Edge',
      whole(0, 64),
      0,
    )
    .option('--state <dir>', 'keep keys and queued calls in this folder between runs')
    .option('--port <port>', 'port of the gateway on 127.0.0.1; 0: a free one', whole(0, 65_535), 0)
    .option('--json', 'print one JSON object a line')
    .action(async (path: string, o: { machines: number; state?: string; port: number; json?: true }) => {
      const { runCommand } = await import('./commands/run.ts');
      const { machines, port, state } = o;
      onExit(await runCommand({ path, machines, port, state, json: o.json === true }, terminal));
    });
};

const addDemo: Adder = (program, terminal, onExit) => {
  program
    .command('demo')
    .description('send recorded calls under two policies and compare them; ends by itself within 30 s')
    .argument('<path>', 'a folder with manifests, two policies and readings/*.jsonl')
    .option('--json', 'print exactly one JSON object')
    .action(async (path: string, o: { json?: true }) => {
      const { demoCommand } = await import('./commands/demo.ts');
      onExit(await demoCommand({ path, json: o.json === true }, terminal));
    });
};

interface InvokeFlags {
  readonly data?: string;
  readonly namespace?: string;
  readonly run?: string;
  readonly async?: true;
  readonly wait?: true;
  readonly timeout?: number;
  readonly header: readonly string[];
  readonly json?: true;
}

const addInvoke: Adder = (program, terminal, onExit) => {
  program
    .command('invoke')
    .description('call a function of a run; the result goes to standard output as it is')
    .argument('<workflow/function>', 'like traffic/ingest')
    .option(
      '-d, --data <data>',
      'the input: @FILE, - for standard input, or the text itself; without it null',
    )
    .option('-n, --namespace <name>', 'the namespace, where several have such a workflow')
    .option('--run <pid|file>', 'the run, where there are several')
    .option('--async', 'do not wait for the result: print the id of the call')
    .option('--wait', 'with --async: wait for the end of the call and print its result')
    .option('--timeout <seconds>', 'how long the call may take', positive)
    .option('-H, --header <header>', "a header like 'Content-Type: text/plain'; may be repeated", collect, [])
    .option('--json', 'print one JSON object with call id, time and result or error')
    .action(async (target: string, o: InvokeFlags) => {
      if (o.wait === true && o.async !== true)
        program.error("error: option '--wait' goes with '--async'; without it every call is waited for");
      const { invokeCommand } = await import('./commands/invoke.ts');
      const { data, namespace, run, timeout: timeoutSeconds, header: headers } = o;
      const flags = { async: o.async === true, wait: o.wait === true, json: o.json === true };
      onExit(
        await invokeCommand({ target, data, namespace, run, timeoutSeconds, headers, ...flags }, terminal),
      );
    });
};

const addPlan: Adder = (program, terminal, onExit) => {
  program
    .command('plan')
    .description('print what would run and why, or what is wrong; starts nothing')
    .requiredOption(
      '-f, --filename <path>',
      'a kustomization folder, a folder of *.yaml, or a file; may be repeated',
      collect,
      [],
    )
    .option('--machines <n>', 'plan for n machines, as run --machines does', whole(0, 64), 0)
    .option('--json', 'print one JSON object')
    .action(async (o: { filename: readonly string[]; machines: number; json?: true }) => {
      if (o.filename.length === 0)
        program.error("error: required option '-f, --filename <path>' not specified");
      const { planCommand } = await import('./commands/plan.ts');
      onExit(await planCommand({ paths: o.filename, machines: o.machines, json: o.json === true }, terminal));
    });
};

const addExplain: Adder = (program, terminal, onExit) => {
  program
    .command('explain')
    .description('print every decision of the plan that a run follows')
    .argument('<workflow>', 'the name of the workflow')
    .option('-n, --namespace <name>', 'the namespace, where several have such a workflow')
    .option('--run <pid|file>', 'the run, where there are several')
    .option('--json', 'print one JSON object')
    .action(async (workflow: string, o: { namespace?: string; run?: string; json?: true }) => {
      const { explainCommand } = await import('./commands/explain.ts');
      const { namespace, run } = o;
      onExit(await explainCommand({ workflow, namespace, run, json: o.json === true }, terminal));
    });
};

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${String(least)} to ${String(most)}.`);
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= 86_400) return value;
  throw new InvalidArgumentError('It must be a number of seconds above 0, at most 86400.');
}
