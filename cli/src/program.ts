/**
 * The commands and their options.
 *
 * Owns: names, help texts, and turning words of a command line into options; nothing is done here. A mistake is a usage
 * error (exit code 2) with a suggestion.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { meansCluster } from './clusterFlags.ts';
import type { ClusterFlags } from './clusterFlags.ts';
import type { ExitCode } from './exit.ts';
import type { Terminal } from './terminal.ts';
import { hanging, WIDTH } from './text/layout.ts';
import { exampleFolder, version } from './package.ts';

const EXIT_CODES = `
A run or a cluster: --run means a run on this machine; --cluster, --context, --kubeconfig, and the
name kubectl sinter mean a cluster. Else a command takes a run if there is one, and the cluster
of the current context if there is none; plan then goes by the files alone.

Exit codes: 0 done; 1 what was given is wrong or something is missing; 2 usage; 3 a call failed;
4 no run was found, or several; 5 a defect of sinter itself; 6 plan --exit-code: it would change
something; 128 + n ended by signal n.`;

/** `onExit` is told how the chosen command ended. Parsing throws a CommanderError where there is nothing to run. */
export function programFor(terminal: Terminal, onExit: (code: ExitCode) => void): Command {
  const program = new Command(terminal.command === 'kubectl sinter' ? terminal.command : 'sinter')
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
  addSnapshot(program, terminal, onExit);
  addObserve(program, terminal, onExit);
  addApprove(program, terminal, onExit);
  addRevert(program, terminal, onExit);
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
    .description('watch a workflow without any grouping get better under recorded calls; ends by itself')
    .argument('[path]', 'a folder with manifests and readings/*.jsonl; without it the traffic example')
    .option('--seconds <n>', 'how long a better plan is looked for, at most', whole(1, 3_600), 60)
    .option('--json', 'print exactly one JSON object')
    .action(async (path: string | undefined, o: { seconds: number; json?: true }) => {
      const { demoCommand } = await import('./commands/demo.ts');
      const { seconds } = o;
      onExit(await demoCommand({ path: path ?? exampleFolder(), seconds, json: o.json === true }, terminal));
    });
};

interface ClusterWords {
  readonly cluster?: true;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly namespace?: string;
}

const NAMESPACE = 'the namespace; for a run only where several have such a workflow';

/** `local`: the option that means no cluster, by its name in commander. */
const withClusterFlags = (command: Command, namespace: string, local: string): Command =>
  command
    .option('-n, --namespace <name>', namespace)
    .addOption(new Option('--cluster', 'ask the cluster of the current context').conflicts(local))
    .addOption(new Option('--context <name>', 'ask the cluster of this context').conflicts(local))
    .addOption(new Option('--kubeconfig <file>', 'ask the cluster of this kubeconfig').conflicts(local));

const clusterFlags = ({ cluster, context, kubeconfig, namespace }: ClusterWords): ClusterFlags => ({
  cluster: cluster === true,
  context,
  kubeconfig,
  namespace,
});

interface InvokeFlags extends ClusterWords {
  readonly data?: string;
  readonly run?: string;
  readonly gateway?: string;
  readonly async?: true;
  readonly wait?: true;
  readonly timeout?: number;
  readonly header: readonly string[];
  readonly json?: true;
}

const addInvoke: Adder = (program, terminal, onExit) => {
  withClusterFlags(program.command('invoke'), NAMESPACE, 'run')
    .description('call a function through the gateway; the result goes to standard output as it is')
    .argument('<workflow/function>', 'like traffic/ingest')
    .option(
      '-d, --data <data>',
      'the input: @FILE, - for standard input, or the text itself; without it null',
    )
    .option('--run <pid|file>', 'a run on this machine, by process id or state file')
    .addOption(
      new Option('--gateway <url>', "the address of a cluster's gateway, where it cannot tell it").conflicts(
        'run',
      ),
    )
    .option('--async', 'do not wait for the result: print the id of the call')
    .option('--wait', 'with --async: wait for the end of the call and print its result')
    .option('--timeout <seconds>', 'how long the call may take', positive)
    .option('-H, --header <header>', "a header like 'Content-Type: text/plain'; may be repeated", collect, [])
    .option('--json', 'print one JSON object with call id, time and result or error')
    .action(async (target: string, o: InvokeFlags) => {
      if (o.wait === true && o.async !== true)
        program.error("error: option '--wait' goes with '--async'; without it every call is waited for");
      const { invokeCommand } = await import('./commands/invoke.ts');
      const { data, run, gateway, timeout: timeoutSeconds, header: headers } = o;
      const flags = { async: o.async === true, wait: o.wait === true, json: o.json === true };
      const options = { ...clusterFlags(o), ...flags, target, data, run, gateway, timeoutSeconds, headers };
      onExit(await invokeCommand(options, terminal));
    });
};

interface PlanFlags extends ClusterWords {
  readonly filename: readonly string[];
  readonly snapshot?: string;
  readonly machines?: number;
  readonly exitCode?: true;
  readonly json?: true;
}

const addPlan: Adder = (program, terminal, onExit) => {
  withClusterFlags(program.command('plan'), 'the namespace of objects that name none', 'machines')
    .description(
      'print what would run and why, or what is wrong, and for a cluster what would change; starts nothing',
    )
    .option(
      '-f, --filename <path>',
      'a kustomization folder, a folder of *.yaml, or a file; may be repeated',
      collect,
      [],
    )
    .addOption(
      new Option(
        '--snapshot <file>',
        'plan offline in the world of this snapshot; without -f what it declares itself; - is standard input',
      ).conflicts(['machines', 'cluster', 'context', 'kubeconfig']),
    )
    .option(
      '--machines <n>',
      'plan without a cluster, for n machines as run --machines has them',
      whole(0, 64),
    )
    .option(
      '--exit-code',
      'for a cluster or a snapshot: end with 6 where something would change, 0 where nothing would',
    )
    .option('--json', 'print one JSON object')
    .action(async (o: PlanFlags) => {
      const flags = clusterFlags(o);
      if (o.snapshot !== undefined) {
        const { planSnapshot } = await import('./commands/planSnapshot.ts');
        const { snapshot, filename: paths } = o;
        const outcome = { exitCode: o.exitCode === true, json: o.json === true };
        onExit(await planSnapshot({ snapshot, paths, namespace: flags.namespace, ...outcome }, terminal));
        return;
      }
      if (o.filename.length === 0)
        program.error("error: option '-f, --filename <path>' or '--snapshot <file>' is needed");
      const cluster = o.machines === undefined && meansCluster(flags, terminal);
      if (o.exitCode === true && !cluster)
        program.error(
          "error: option '--exit-code' compares with what runs; add '--cluster', '--context <name>' or '--snapshot <file>'",
        );
      const both = { paths: o.filename, json: o.json === true };
      if (cluster) {
        const { planCluster } = await import('./cluster/plan.ts');
        onExit(await planCluster({ ...flags, ...both, exitCode: o.exitCode === true }, terminal));
        return;
      }
      const { planCommand } = await import('./commands/plan.ts');
      const { namespace } = flags;
      onExit(await planCommand({ ...both, namespace, machines: o.machines ?? 0 }, terminal));
    });
};

interface ExplainFlags extends ClusterWords {
  readonly run?: string;
  readonly snapshot?: string;
  readonly plan?: string;
  readonly json?: true;
}

const addExplain: Adder = (program, terminal, onExit) => {
  withClusterFlags(program.command('explain'), NAMESPACE, 'run')
    .description('print every decision of the plan that runs, and for a cluster how it is')
    .argument('[workflow]', 'the name of the workflow; with --snapshot it may be left out')
    .option('--run <pid|file>', 'a run on this machine, by process id or state file')
    .addOption(
      new Option(
        '--snapshot <file>',
        'offline, in the world of this snapshot: every decision, and what would be saved; - is standard input',
      ).conflicts(['run', 'plan', 'cluster', 'context', 'kubeconfig']),
    )
    .option('--plan <hash>', 'another plan of the workflow, by its hash')
    .option('--json', 'print one JSON object')
    .action(async (workflow: string | undefined, o: ExplainFlags) => {
      const { run, plan, snapshot } = o;
      const json = o.json === true;
      if (snapshot !== undefined) {
        const { explainSnapshot } = await import('./commands/explainSnapshot.ts');
        onExit(await explainSnapshot({ snapshot, workflow, namespace: o.namespace, json }, terminal));
        return;
      }
      if (workflow === undefined)
        return program.error("error: missing required argument 'workflow', or --snapshot");
      const { explainCommand } = await import('./commands/explain.ts');
      onExit(await explainCommand({ ...clusterFlags(o), workflow, run, plan, json }, terminal));
    });
};

const RUN = ['--run <pid|file>', 'a run on this machine, by process id or state file'] as const;

const addSnapshot: Adder = (program, terminal, onExit) => {
  withClusterFlags(program.command('snapshot'), NAMESPACE, 'run')
    .description('print what a plan would be made from now: a file for plan --snapshot')
    .argument('<workflow>', 'the name of the workflow')
    .option(...RUN)
    .action(async (workflow: string, o: ClusterWords & { run?: string }) => {
      const { snapshotCommand } = await import('./commands/snapshot.ts');
      onExit(await snapshotCommand({ ...clusterFlags(o), workflow, run: o.run }, terminal));
    });
};

const addObserve: Adder = (program, terminal, onExit) => {
  program
    .command('observe')
    .description(
      'read spans of services that run: their graph, and what fusing, moving or deferring would save',
    )
    .argument('<spans>', 'a file with OTLP/JSON, one object or one a line; - is standard input')
    .option('--snapshot <file>', 'write what a plan would be made from into this file')
    .option('--name <name>', 'what the workflow is called in the snapshot', 'observed')
    .addOption(
      new Option('--by <what>', 'what is taken for a function')
        .choices(['operation', 'service'])
        .default('operation'),
    )
    .option('--json', 'print one JSON object')
    .action(async (spans: string, o: { snapshot?: string; name: string; by: string; json?: true }) => {
      const { observeCommand } = await import('./commands/observe.ts');
      const grain = o.by === 'service' ? 'Service' : 'Operation';
      const { snapshot, name } = o;
      onExit(await observeCommand({ spans, snapshot, name, grain, json: o.json === true }, terminal));
    });
};

interface PinFlags extends ClusterWords {
  readonly run?: string;
  readonly any?: true;
  readonly json?: true;
}

const addApprove: Adder = (program, terminal, onExit) => {
  withClusterFlags(program.command('approve'), NAMESPACE, 'run')
    .description('have a plan run that waits for approval, or any other: sets planRef of the Workflow')
    .argument('<workflow>', 'the name of the workflow')
    .argument('[hash]', 'of the plan; without it the newest that waits, else the one that is tried')
    .option('--any', 'empty planRef: whatever the policy decides is approved')
    .option(...RUN)
    .option('--json', 'print one JSON object')
    .action(async (workflow: string, hash: string | undefined, o: PinFlags) => {
      if (o.any === true && hash !== undefined)
        program.error("error: option '--any' goes without a hash: it lets the policy decide");
      const { pinCommand } = await import('./commands/pin.ts');
      const wish =
        hash === undefined
          ? ({ is: o.any === true ? 'Any' : 'Proposed' } as const)
          : ({ is: 'Named', hash } as const);
      const options = { ...clusterFlags(o), workflow, wish, run: o.run, json: o.json === true };
      onExit(await pinCommand(options, terminal));
    });
};

const addRevert: Adder = (program, terminal, onExit) => {
  withClusterFlags(program.command('revert'), NAMESPACE, 'run')
    .description('go back to the plan that ran before, and stay there: sets planRef of the Workflow')
    .argument('<workflow>', 'the name of the workflow')
    .option(...RUN)
    .option('--json', 'print one JSON object')
    .action(async (workflow: string, o: PinFlags) => {
      const { pinCommand } = await import('./commands/pin.ts');
      const wish = { is: 'Before' } as const;
      const options = { ...clusterFlags(o), workflow, wish, run: o.run, json: o.json === true };
      onExit(await pinCommand(options, terminal));
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
