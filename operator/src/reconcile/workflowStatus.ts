/**
 * The status of a Workflow: what holds of it, in conditions, and the plans that are live.
 *
 * Owns: which of several facts becomes the reason (the list below), and the words. Pure; nothing in it changes with time alone,
 * so that a second look writes nothing.
 *
 * `Ready` is about the declared generation: true when what is declared runs and every unit of it is up, whatever is tried beside it
 * or takes its place because it measured better.
 * Reasons, the first that applies: Terminating, an Error among the findings, what the API server refuses, code that fails more calls
 * (CodeWithdrawn, CallsFail), a unit that does not come up, RollingOut, a unit that is down, Suspended, Serving.
 */
import type { Condition, WorkflowObject } from '@sinter/crds';
import type { Finding } from '../model/finding.ts';
import type { Memory, Problem, RolloutStatus, Trial, Waiting } from '../rollout/index.ts';
import { underWayText } from './comparison.ts';
import type { BusState } from '../bus/cluster.ts';
import { conditionsOf, errorsOf, findingsMessage, notYetFacts } from './conditions.ts';
import type { Fact } from './conditions.ts';

export interface WorkflowFacts {
  readonly workflow: WorkflowObject | undefined;
  readonly generation: number;
  readonly deleting: boolean;
  readonly findings: readonly Finding[];
  /** The plan that is asked for; undefined where there is none. */
  readonly planned: string | undefined;
  readonly bus: BusState;
  /** Undefined: the bus could not be asked, so nothing is known of what runs. */
  readonly rollout: RolloutStatus | undefined;
  /** The trial that goes on. */
  readonly trial?: Trial | undefined;
  /** Code that was declared, failed, and is not run. */
  readonly withdrawnCode?: Memory['withdrawnCode'];
  /** What the API server refused. */
  readonly failure?: Problem | undefined;
  /** Units whose credential was due and could not be renewed. */
  readonly notRenewed?: readonly Problem[];
  /** Secrets with keys that may not be read: what to do about each. */
  readonly unreadableKeys: readonly string[];
  readonly summary: Summary | undefined;
  readonly gatewayUrl: string;
  /** Conditions as they stand. */
  readonly before: readonly Condition[];
  readonly statusBefore: Readonly<Record<string, unknown>>;
  /** RFC 3339. */
  readonly now: string;
}

export interface Summary {
  readonly units: string;
  readonly runtimes: string;
  readonly channels: string;
}

const WORKFLOW = { kind: 'Workflow' };
const GOES_ON = 'what ran before goes on';

/** Problems that do not pass by waiting: somebody has to do something. */
const STALLING: ReadonlySet<string> = new Set([
  'UnitFailed',
  'CrashLoopBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'QuotaExceeded',
  'NameTaken',
  'OutOfMemory',
  'CallsFail',
  'CodeWithdrawn',
]);

export function workflowStatus(facts: WorkflowFacts): object {
  const { rollout, statusBefore } = facts;
  const ready = readyFact(facts);
  const all = [
    ready,
    progressingFact(facts, ready),
    planFact(facts, ready),
    busFact(facts.bus),
    ...kstatusFacts(facts, ready),
    ...keyFacts(facts),
    ...credentialFacts(facts),
    ...notYetFacts(facts.findings, WORKFLOW),
  ];
  return {
    observedGeneration: facts.generation,
    conditions: conditionsOf(all, facts.before, facts.generation, facts.now),
    ...address(facts),
    ...(rollout ? livePlans(rollout) : carried(statusBefore, 'plan')),
    ...(facts.summary ? { summary: facts.summary } : carried(statusBefore, 'summary')),
  };
}

const carried = (status: Readonly<Record<string, unknown>>, field: string): object =>
  status[field] === undefined ? {} : { [field]: status[field] };

/** An empty object would be taken for null by a server that merges it into fields that were there. */
function livePlans({ current, candidate, weightPercent = 0, draining }: RolloutStatus): object {
  const plan = {
    ...(current === '' ? {} : { current }),
    ...(candidate === undefined ? {} : { candidate, weightPercent }),
    ...(draining.length === 0 ? {} : { draining: draining.slice(0, 16) }),
  };
  return Object.keys(plan).length === 0 ? {} : { plan };
}

function address({ workflow, gatewayUrl }: WorkflowFacts): object {
  if (gatewayUrl === '' || !workflow) return {};
  const http = workflow.spec.triggers.find((t) => t.http)?.http;
  const host = http?.hosts.find((h) => !h.startsWith('*'));
  const origin = host === undefined ? gatewayUrl.replace(/\/$/, '') : `https://${host}`;
  return { address: { url: `${origin}${http?.path ?? ''}` } };
}

type Verdict = Omit<Fact, 'type'>;
const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });

function readyFact(facts: WorkflowFacts): Fact {
  return { type: 'Ready', ...readiness(facts) };
}

function readiness(facts: WorkflowFacts): Verdict {
  const { rollout } = facts;
  if (facts.deleting) return no('Terminating', terminating(rollout));
  const errors = errorsOf(facts.findings);
  if (errors[0]) return no(errors[0].reason, withWhatRan(findingsMessage(errors, WORKFLOW), facts));
  if (!rollout) return unknownRollout(facts);
  if (facts.failure) return no(facts.failure.reason, withWhatRan(facts.failure.message, facts));
  const failing = failingCode(facts, rollout);
  if (failing) return failing;
  if (!isGiven(facts)) {
    const [late] = [...rollout.waiting].sort(troubledFirst);
    if (late?.problem) return no(late.problem.reason, `${waitingText(late)}; ${GOES_ON}`);
    if (rollout.candidate !== undefined || rollout.current === '')
      return no('RollingOut', startingText(rollout));
  }
  const [down] = [...rollout.down].sort(troubledFirst);
  if (down) return no(down.problem?.reason ?? 'UnitsStarting', waitingText(down));
  return up(facts, rollout);
}

/** What runs is what these objects give: a candidate can only be a better plan. */
const isGiven = ({ planned, rollout }: WorkflowFacts): boolean =>
  rollout !== undefined && rollout.current !== '' && rollout.current === planned;

/** The trial of a plan beside one that is what these objects give. */
const planTrial = ({ trial, rollout }: WorkflowFacts): Trial | undefined =>
  trial?.of === 'Plan' && rollout?.current === trial.current ? trial : undefined;

function failingCode(
  { trial, withdrawnCode }: WorkflowFacts,
  { current }: RolloutStatus,
): Verdict | undefined {
  const remedy =
    'mend what is declared; or have it run all the same, with rollout.onRegression: Ignore in its policy';
  if (withdrawnCode) {
    const { hash, message } = withdrawnCode;
    return no(
      'CodeWithdrawn',
      `plan ${hash}, which these objects give, is not run: ${message}; plan ${current} goes on; ${remedy}`,
    );
  }
  if (trial?.of !== 'Code' || trial.phase !== 'Held') return undefined;
  const what = `plan ${trial.plan.hash}, which these objects give, fails more of its calls than plan ${current}`;
  return no('CallsFail', `${what}, which has all of them again; ${remedy}`);
}

const up = ({ workflow }: WorkflowFacts, { current }: RolloutStatus): Verdict =>
  workflow?.spec.suspend
    ? { status: 'True', reason: 'Suspended', message: `plan ${current} runs, and triggers start nothing` }
    : { status: 'True', reason: 'Serving', message: `plan ${current} runs` };

/** The bus could not be asked: what was known last still holds, but for a newer generation. */
function unknownRollout({ before, generation, bus }: WorkflowFacts): Verdict {
  const last = before.find((c) => c.type === 'Ready');
  if (last?.observedGeneration === generation && last.reason !== 'BusUnavailable') return last;
  return { status: 'Unknown', reason: 'BusUnavailable', message: busFact(bus).message };
}

const withWhatRan = (message: string, { rollout }: WorkflowFacts): string =>
  rollout && rollout.current !== '' ? `${message}; ${GOES_ON}` : message;

const terminating = (rollout: RolloutStatus | undefined): string =>
  rollout && rollout.ending.length > 0
    ? `units finish what they accepted: ${list(rollout.ending)}`
    : 'what it has on the bus is removed';

const troubledFirst = (a: Waiting, b: Waiting): number =>
  Number(b.problem !== undefined) - Number(a.problem !== undefined) || (a.unit < b.unit ? -1 : 1);

const waitingText = ({ unit, serving, desired, problem }: Waiting): string =>
  problem
    ? `unit ${unit}: ${problem.message}`
    : `unit ${unit}: ${String(serving)} of ${String(desired)} instances serve`;

const startingText = ({ waiting, candidate, current, weightPercent = 0 }: RolloutStatus): string =>
  waiting.length > 0
    ? `plan ${candidate ?? current} starts: ${list(waiting.map((w) => w.unit))} ${waiting.length === 1 ? 'does' : 'do'} not serve yet`
    : `plan ${candidate ?? current} takes over${weightPercent > 0 ? `: it has ${String(weightPercent)} % of the calls` : ''}`;

const list = (names: readonly string[]): string =>
  names.length <= 5
    ? names.join(', ')
    : `${names.slice(0, 5).join(', ')} and ${String(names.length - 5)} more`;

function progressingFact(facts: WorkflowFacts, ready: Fact): Fact {
  const type = 'Progressing';
  const { rollout } = facts;
  const trial = planTrial(facts);
  if (trial && rollout) {
    const [late] = [...rollout.waiting].sort(troubledFirst);
    const waits = late ? `; ${waitingText(late)}` : '';
    const message = `plan ${trial.plan.hash}: ${underWayText(trial)}${waits}`;
    return { type, status: 'True', reason: 'Trying', message };
  }
  if (!rollout) return { type, status: 'Unknown', reason: 'BusUnavailable', message: ready.message };
  if (rollout.candidate !== undefined && ready.status === 'True')
    return { type, status: 'True', reason: 'RollingOut', message: startingText(rollout) };
  if (rollout.settled && rollout.down.length === 0) return { type, ...no('Settled', 'nothing changes') };
  if (rollout.candidate === undefined && rollout.draining.length > 0)
    return {
      type,
      status: 'True',
      reason: 'Draining',
      message: `plan ${list(rollout.draining)} finishes its calls`,
    };
  if (rollout.candidate === undefined && rollout.ending.length > 0)
    return { type, status: 'True', reason: 'Ending', message: `units end: ${list(rollout.ending)}` };
  return { type, status: 'True', reason: ready.reason, message: ready.message };
}

function planFact({ planned, rollout, findings }: WorkflowFacts, ready: Fact): Fact {
  const type = 'PlanCurrent';
  if (!rollout) return { type, status: 'Unknown', reason: 'BusUnavailable', message: ready.message };
  const pinned = findings.find((f) => f.reason === 'PlanPinned');
  if (pinned) return { type, ...no('PlanPinned', pinned.message) };
  if (planned === undefined) return { type, ...no(ready.reason, ready.message) };
  if (rollout.current === planned)
    return { type, status: 'True', reason: 'Current', message: `plan ${planned} is what these objects give` };
  return { type, ...no(ready.reason, ready.message) };
}

/** The first Error, else the first warning, else that all is well. */
export function busFact({ ready, findings }: BusState): Fact {
  const type = 'BusReady';
  const worst = findings.find((f) => f.severity === 'Error') ?? findings[0];
  if (!ready)
    return { type, ...no(worst?.reason ?? 'BusUnavailable', worst?.message ?? 'the bus does not answer') };
  if (worst) return { type, status: 'True', reason: worst.reason, message: worst.message };
  return { type, status: 'True', reason: 'Connected', message: 'the bus keeps what it is given' };
}

/** As kstatus reads them: present only while they are true. */
function kstatusFacts(facts: WorkflowFacts, ready: Fact): readonly Fact[] {
  const { reason, message } = ready;
  if (facts.deleting || ready.status === 'True') return [];
  const stalled = errorsOf(facts.findings).length > 0 || STALLING.has(reason);
  return [{ type: stalled ? 'Stalled' : 'Reconciling', status: 'True', reason, message }];
}

const keyFacts = ({ unreadableKeys }: WorkflowFacts): readonly Fact[] =>
  unreadableKeys.length === 0
    ? []
    : [
        {
          type: 'KeysReadable',
          status: 'False',
          reason: 'KeySecretNotReadable',
          message: unreadableKeys.join('; '),
        },
      ];

/** What runs goes on with what it has, until that ends: a matter of its own, beside whether it is ready. */
function credentialFacts({ notRenewed = [] }: WorkflowFacts): readonly Fact[] {
  const [first] = notRenewed;
  if (!first) return [];
  const message = `credentials are not renewed: ${list(notRenewed.map((p) => p.message))}`;
  return [{ type: 'CredentialsRenewed', ...no(first.reason, message) }];
}
