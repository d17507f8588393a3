/**
 * Finding the run that a command is about, through the state files that runs leave.
 *
 * Owns: the choice among runs and workflows, and what is said when there is none or more than one. Which runs are alive
 * is the state file's affair.
 */
import { readFile } from 'node:fs/promises';
import { liveRuns, parseState } from '@sinter/operator/local/stateFile';
import type { RunState } from '@sinter/operator/local/run';
import { EXIT, Refusal } from './exit.ts';

export type RunWorkflow = RunState['workflows'][number];

export interface Wanted {
  readonly workflow: string;
  readonly namespace: string | undefined;
  /** A process id, or the path of a state file. */
  readonly run: string | undefined;
}

export interface FoundWorkflow {
  readonly run: RunState;
  readonly workflow: RunWorkflow;
}

/** The one workflow of that name in the one run that has it. Rejects with a Refusal that lists what there is. */
export async function findWorkflow(wanted: Wanted): Promise<FoundWorkflow> {
  return chooseWorkflow(await candidateRuns(wanted.run), wanted);
}

async function candidateRuns(run: string | undefined): Promise<readonly RunState[]> {
  if (run === undefined || /^\d+$/.test(run)) {
    const runs = (await liveRuns()).filter((r) => run === undefined || String(r.pid) === run);
    if (runs.length > 0) return runs;
    const which = run === undefined ? 'no run was found' : `no run with process id ${run} was found`;
    throw new Refusal(EXIT.noRun, `${which}; start one with 'sinter run PATH' in another terminal`);
  }
  return [await readRun(run)];
}

async function readRun(file: string): Promise<RunState> {
  try {
    const state = parseState(await readFile(file, 'utf8'));
    if (state !== undefined) return state;
    throw new Error('it does not hold what a run writes');
  } catch (cause) {
    const message = `--run: '${file}' is neither a process id nor the state file of a run; see 'sinter run'`;
    throw new Refusal(EXIT.noRun, message, { cause });
  }
}

/** The choice alone: `runs` newest first. */
export function chooseWorkflow(runs: readonly RunState[], wanted: Wanted): FoundWorkflow {
  const all = runs.flatMap((run) => run.workflows.map((workflow) => ({ run, workflow })));
  const named = all.filter(
    ({ workflow: w }) =>
      w.workflow === wanted.workflow && (wanted.namespace === undefined || w.namespace === wanted.namespace),
  );
  const [first, second] = named;
  if (first === undefined) throw new Refusal(EXIT.refused, noWorkflow(all, wanted));
  if (second === undefined) return first;
  const pids = new Set(named.map(({ run }) => run.pid));
  if (pids.size > 1) throw new Refusal(EXIT.noRun, severalRuns(named, wanted));
  const candidates = named.map(({ workflow: w }) => w.namespace).sort();
  const message = `'${wanted.workflow}' is in several namespaces: ${candidates.join(', ')}; choose one with -n NAMESPACE`;
  throw new Refusal(EXIT.refused, message);
}

function noWorkflow(all: readonly FoundWorkflow[], { workflow, namespace, run }: Wanted): string {
  const names = [...new Set(all.map(({ workflow: w }) => `${w.namespace}/${w.workflow}`))].sort();
  const there = names.length === 0 ? 'nothing runs in it' : `there are ${names.join(', ')}`;
  const where = namespace === undefined ? '' : ` in namespace '${namespace}'`;
  const other = run === undefined ? '; --cluster asks the cluster instead' : '';
  return `workflow '${workflow}'${where} does not run on this machine; ${there}${other}`;
}

function severalRuns(named: readonly FoundWorkflow[], { workflow }: Wanted): string {
  const lines = named.map(
    ({ run }) => `  --run ${String(run.pid)}   ${run.gateway.url}, since ${run.startedAt}`,
  );
  return [`several runs have a workflow '${workflow}'; choose one:`, ...new Set(lines)].join('\n');
}
