/**
 * A run on this machine, as the command-line tool sees it: what can be asked of it, and what it answers.
 *
 * Owns: the port between `cli/` and the local applier, nothing else. `main.ts` makes one.
 */
import type { WorkflowFigures } from '../bus/reports.ts';
import type { Finding } from '../model/finding.ts';
import type { Plan } from '../planner/plan.ts';

export type { LatencyFigures, WorkflowFigures } from '../bus/reports.ts';

/** An object as it was read from a manifest, before anything judged it. */
export type RawObject = Readonly<Record<string, unknown>>;

export interface LocalRunOptions {
  /** Machines to pretend: a hub and so many leaves, machine 1 is Cloud, the others Edge. 0: the hub alone. */
  readonly machines: number;
  /** Keeps keys and the bus's data between runs; absent: a temporary folder that a clean end removes. */
  readonly stateFolder?: string;
  /** Port of the gateway on 127.0.0.1; 0 or absent: a free one. */
  readonly port?: number;
  /** Aborted before the start is over: it ends, rejects with the signal's reason, and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
  /** What takes over a second says so here; one line each. */
  readonly onProgress: (line: string) => void;
  /** Lines of functions, hosts and servers. */
  readonly onLog: (line: LogRecord) => void;
  /** Plans that are tried, taken, dropped, offered. */
  readonly onNews?: (news: PlanNews) => void;
}

export interface LogRecord {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** Who says so: a unit's name, `gateway`, `nats hub`. */
  readonly source: string;
  readonly message: string;
  readonly function?: string;
}

/** One workflow after its objects were applied. */
export interface AppliedWorkflow {
  readonly namespace: string;
  readonly workflow: string;
  /** Hash of the plan that runs now; empty: none does. */
  readonly hash: string;
  /** The plan that was made; undefined where an Error stands in the way and what ran goes on. */
  readonly plan: Plan | undefined;
  /** The plan as the object that a cluster would show. */
  readonly planObject: Readonly<Record<string, unknown>> | undefined;
  readonly findings: readonly Finding[];
  /** Names of units that were started, kept as they were, and drained. */
  readonly started: readonly string[];
  readonly kept: readonly string[];
  readonly drained: readonly string[];
}

/** What happened to the plans of a workflow by themselves. */
export interface PlanNews {
  readonly namespace: string;
  readonly workflow: string;
  readonly kind: 'Offered' | 'Tried' | 'Promoted' | 'Withdrawn' | 'Chosen';
  /** Hash of the plan that it is about. */
  readonly hash: string;
  /** In words: what, why, and by how much. */
  readonly message: string;
}

export interface ApplyReport {
  /** Objects that no schema accepts, and references that lead nowhere: nothing of these was applied. */
  readonly findings: readonly Finding[];
  readonly workflows: readonly AppliedWorkflow[];
}

export interface LocalRun {
  readonly gateway: { readonly url: string; readonly token: string };
  /** Where a browser sees what runs; whoever has this address may look, and change nothing. */
  readonly page: { readonly url: string };
  /** File through which other commands find this run. */
  readonly stateFile: string;
  /** Makes what runs be what these objects say. An object that is left out is taken away. One at a time. */
  apply(objects: readonly RawObject[]): Promise<ApplyReport>;
  figures(namespace: string, workflow: string): WorkflowFigures;
  resetFigures(): void;
  /** Ends every process and removes every file of the run. */
  stop(): Promise<void>;
}

/** What the state file holds: JSON, mode 0600, in `$XDG_RUNTIME_DIR/sinter/` (else the temporary folder), one a run. */
export interface RunState {
  readonly version: 1;
  readonly pid: number;
  readonly startedAt: string;
  readonly gateway: { readonly url: string; readonly token: string };
  /** Where it can be asked for more, with the same token; absent: an older run. */
  readonly control?: { readonly url: string };
  /** What runs, for a browser; the address is all that is needed to look. Absent: an older run. */
  readonly page?: { readonly url: string };
  readonly workflows: readonly {
    readonly namespace: string;
    readonly workflow: string;
    readonly hash: string;
    readonly planObject: Readonly<Record<string, unknown>> | undefined;
    readonly findings: readonly Finding[];
    /** Hash of the plan that somebody chose; empty: the policy decides. */
    readonly planRef?: string;
    /** Every plan of the workflow that can run as it is declared now. */
    readonly plans?: readonly RunPlan[];
  }[];
}

/** A plan, and what became of it in this run. */
export interface RunPlan {
  readonly hash: string;
  /** The how-manieth plan of its workflow it is. */
  readonly sequence: number;
  readonly state: 'Proposed' | 'Candidate' | 'Current' | 'Retired';
  /** The plan that it was compared with, and what came out. */
  readonly baseline?: string;
  readonly verdict?: string;
}
