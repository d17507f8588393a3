/**
 * Makes one workflow better while it runs: looks for a better plan, has it tried beside the current one, keeps it or drops it.
 *
 *   take ─▶ what is declared runs, in the groups in which it ran
 *   look ─▶ figures ─▶ plan ─▶ another one? ─▶ tried ─▶ further looks ─▶ promoted | withdrawn, and remembered
 *                                    └─▶ mode Manual or Observe: offered, waits for somebody to choose it
 *
 * Owns: the order, which plan is wanted now, and what is remembered of others. `planner/` decides what is better, `rollout/`
 * whether it was, `deployment.ts` changes what runs.
 * Invariants:
 *  1. One at a time: none of these is to be called before the last call has ended.
 *  2. What is declared comes first: a trial ends when something else is declared, or another plan is chosen.
 *  3. A plan that somebody chose is not replaced by a better one.
 */
import { canonicalJson } from '../model/canonical.ts';
import { isError } from '../model/finding.ts';
import type { Machine, WorkflowName, WorkflowObject } from '../model/nouns.ts';
import { planShape, propose } from '../resources/index.ts';
import type { Proposal } from '../resources/index.ts';
import { NO_OBSERVATIONS, gather } from '../snapshot/index.ts';
import type { CurrentPlan, GatherInput, Observations, Snapshot, Trials } from '../snapshot/index.ts';
import type { WorkflowObservations } from '../observations/index.ts';
import { NO_EVIDENCE } from '../rollout/evidence.ts';
import type { Evidence } from '../rollout/evidence.ts';
import { NO_MEMORY, afterTrial, budgetOf, counted, refusalOf, trialsOf } from '../rollout/memory.ts';
import { PACE, startTrial, trialStep } from '../rollout/trial.ts';
import type { Pace, Trial, TrialEnd, TrialTerms } from '../rollout/trial.ts';
import { ControlRefusal } from './control.ts';
import type { Deployed, Deployment, Target } from './deployment.ts';
import { History } from './history.ts';
import type { Applicable } from './history.ts';
import { chosenText, endText, offerText, triedText } from './news.ts';
import { pricingOf } from './pricing.ts';
import type { PlanNews, RunPlan } from './run.ts';
import type { World } from './world.ts';

export interface Declared {
  readonly object: WorkflowObject;
  readonly world: World;
}

/** What the run provides. */
export interface OptimiserPorts {
  /** What was seen of a workflow. */
  readonly sight: { of(workflow: WorkflowName): Pick<WorkflowObservations, 'figures' | 'evidence'> };
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onNews: (news: PlanNews) => void;
}

export interface OptimiserOptions extends OptimiserPorts {
  readonly workflow: WorkflowName;
  readonly deployment: Deployment;
  readonly machines: readonly Machine[];
  readonly targetOf: (plan: Applicable, declared: Declared) => Target;
}

/** As it is at the moment. */
export interface Pictured {
  readonly declared: Declared;
  /** Of the plan that runs; empty: none does. */
  readonly hash: string;
  /** Since when, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** Hash of the plan that somebody chose; empty: the policy decides. */
  readonly planRef: string;
  readonly plans: readonly { readonly told: RunPlan; readonly plan: Applicable | undefined }[];
  readonly observations: Observations;
  readonly trial?: { readonly trial: Trial; readonly terms: TrialTerms };
}

/** What came of it when something was declared. */
export type Taken =
  /** `chosen`: another plan than the declared objects would give, because somebody chose it. */
  | {
      readonly kind: 'Runs';
      readonly plan: Applicable;
      readonly deployed: Deployed;
      readonly chosen: boolean;
    }
  | { readonly kind: 'Failed'; readonly problem: string }
  /** Somebody chose a plan that these objects do not give. Stays: it runs, and goes on as it is. */
  | { readonly kind: 'Stays' | 'Unknown'; readonly hash: string };

export class Optimiser {
  readonly #options: OptimiserOptions;
  readonly #history = new History();
  #declared: Declared | undefined;
  /** What the known plans were made from, but for figures and the time. */
  #content = '';
  #running: Applicable | undefined;
  #sinceMs = 0;
  /** Hash of the plan that somebody chose in this run; empty: none. What the manifests choose comes before it. */
  #choice = '';
  /** When a better plan was looked for last, and from what. */
  #planned = { figures: '', atMs: 0 };
  /** Hash of the last plan that was offered. */
  #offered = '';
  #trial: Tried | undefined;
  #memory = NO_MEMORY;

  constructor(options: OptimiserOptions) {
    this.#options = options;
  }

  /** The plan that runs. */
  get running(): Applicable | undefined {
    return this.#running;
  }

  get plans(): readonly RunPlan[] {
    return this.#history.plans;
  }

  /** What a picture of it shows; undefined: nothing is declared. */
  get pictured(): Pictured | undefined {
    if (!this.#declared) return undefined;
    const { trial } = this.#memory;
    const hash = this.#runningHash;
    const { workflow, sight, now } = this.#options;
    return {
      declared: this.#declared,
      hash,
      sinceMs: this.#sinceMs,
      planRef: this.planRef,
      plans: this.plans.map((told) => ({ told, plan: this.#history.find(told.hash) })),
      observations: hash === '' ? NO_OBSERVATIONS : sight.of(workflow).figures(hash, now()),
      ...(trial && this.#trial ? { trial: { trial, terms: termsOf(this.#trial.plan) } } : {}),
    };
  }

  /** Hash of the plan that somebody chose, here or in the manifests; empty: the policy decides. */
  get planRef(): string {
    return this.#written || this.#choice;
  }

  /** What a plan would be made from now; undefined: nothing is declared. */
  snapshot(): Snapshot | undefined {
    return this.#declared && gather(this.#input(this.#declared, trialsOf(this.#memory)));
  }

  /** A plan for what is declared, in the groups that run, as far as it allows them. */
  propose(declared: Declared): Proposal | undefined {
    return propose(this.#input(declared, { ...trialsOf(this.#memory), ...KEEP }));
  }

  #input({ world }: Declared, trials: Trials): GatherInput {
    const { workflow, machines, sight, now } = this.#options;
    const running = this.#runningHash;
    return {
      application: world.application,
      workflow,
      machines,
      current: this.#current(),
      ...(running === '' ? {} : { observations: sight.of(workflow).figures(running, now()) }),
      trials,
      // Processes of a run share the machine, each with as much of it as it can get.
      enforcesLimits: false,
      nowMs: now(),
    };
  }

  /** Makes what is declared run, by this plan of it unless somebody chose another one. */
  async take(declared: Declared, plan: Applicable): Promise<Taken> {
    const content = contentOf(plan.snapshot);
    if (content !== this.#content) {
      this.#history.clear();
      this.#memory = { ...NO_MEMORY, ledger: this.#memory.ledger };
      this.#content = content;
    }
    this.#declared = declared;
    const given = this.#history.keep(plan);
    const wanted = this.planRef;
    const chosen = wanted === '' ? given : this.#history.find(wanted);
    if (!chosen) return { kind: wanted === this.#runningHash ? 'Stays' : 'Unknown', hash: wanted };
    const deployed = await this.#deploy(declared, chosen);
    if (!deployed.ok) return { kind: 'Failed', problem: deployed.problem ?? 'a unit failed' };
    return { kind: 'Runs', plan: chosen, deployed, chosen: chosen !== given };
  }

  /** Has that plan run, whatever the policy says; the empty hash: the policy decides again. Throws a ControlRefusal. */
  async choose(hash: string): Promise<void> {
    const declared = this.#declared;
    const { namespace, workflow } = this.#options.workflow;
    const label = `${namespace}/${workflow}`;
    if (!declared) throw new ControlRefusal(409, `${label} does not run`);
    if (this.#written !== '') {
      const message = `the manifests of ${label} write spec.planRef.hash: ${this.#written}; change it there`;
      throw new ControlRefusal(409, message);
    }
    if (hash !== '') {
      const plan = this.#history.find(hash);
      if (!plan) throw new ControlRefusal(404, `${label} has no plan ${hash} that is known here`);
      const { ok, problem } = await this.#deploy(declared, plan);
      if (!ok) throw new ControlRefusal(409, `plan ${hash} does not run: ${problem ?? 'a unit failed'}`);
    }
    this.#choice = hash;
    this.#say('Chosen', hash, chosenText(hash));
  }

  /** Goes on with the trial, or looks for a better plan. Says whether what others are told of it has changed. */
  async look(): Promise<boolean> {
    const declared = this.#declared;
    if (!declared || !this.#running) return false;
    this.#memory = counted(this.#memory, this.#evidence);
    const { trial } = this.#memory;
    if (this.#trial && trial) return await this.#goOn(this.#trial, trial);
    const better = this.planRef === '' ? this.#better(declared) : undefined;
    if (!better) return false;
    const { mode, rollout } = better.snapshot.policy.spec;
    if (mode === 'Optimize' && rollout.mode === 'Automatic') return await this.#tryOut(declared, better);
    if (better.named.hash === this.#offered) return false;
    this.#offer(better);
    return true;
  }

  /** Another plan than the one that runs; looked for where figures have changed, and now and then. */
  #better(declared: Declared): Applicable | undefined {
    const input = this.#input(declared, trialsOf(this.#memory));
    const figures = JSON.stringify([input.observations, input.trials]);
    const { nowMs } = input;
    if (figures === this.#planned.figures && nowMs < this.#planned.atMs + REPLAN_MS) return undefined;
    this.#planned = { figures, atMs: nowMs };
    const found = propose(input);
    if (!found?.named || found.named.hash === this.#runningHash) return undefined;
    if (found.plan.findings.some(isError) || found.snapshot.policy.spec.mode === 'Off') return undefined;
    return this.#history.keep({ ...found, named: found.named });
  }

  /** Starts a trial, unless what was tried before forbids it. */
  async #tryOut(declared: Declared, plan: Applicable): Promise<boolean> {
    const { deployment, targetOf, now } = this.#options;
    const { hash, object } = plan.named;
    if (!this.#running || refusalOf(this.#memory, hash, now())) return false;
    const baseline = this.#runningHash;
    const trial = startTrial('Plan', planShape(object), baseline, now());
    this.#say('Tried', hash, triedText(plan, this.#running));
    this.#trial = { plan, beside: this.#running };
    this.#memory = { ...this.#memory, trial };
    const started = await deployment.tryOut(targetOf(plan, declared));
    if (started.ok) this.#history.tell(hash, { state: 'Candidate', baseline });
    else await this.#end(this.#trial, trial, neverReady(started.problem ?? 'a unit failed'));
    return true;
  }

  /** One look at the trial; says whether it has ended. */
  async #goOn(tried: Tried, trial: Trial): Promise<boolean> {
    const { deployment, now } = this.#options;
    const terms = termsOf(tried.plan);
    const serves = deployment.candidateServes;
    const sight = {
      nowMs: now(),
      evidence: this.#evidence,
      readiness: { serves },
      budgetCalls: budgetOf(this.#memory),
    };
    const step = trialStep(trial, sight, terms);
    this.#memory = { ...this.#memory, trial: step.trial };
    if (step.end) await this.#end(tried, step.trial, step.end);
    else await deployment.setWeight(step.trial.weightPercent);
    return step.end !== undefined;
  }

  async #end(tried: Tried, trial: Trial, end: TrialEnd): Promise<void> {
    const { deployment, now } = this.#options;
    const { plan } = tried;
    const { hash } = plan.named;
    const cooldownMs = plan.snapshot.policy.spec.rollout.cooldownSeconds * 1000;
    this.#memory = afterTrial(this.#memory, trial, end, now(), cooldownMs);
    this.#trial = undefined;
    const verdict = end.verdict ?? 'Undecided';
    if (end.outcome === 'Promote') {
      await deployment.promote();
      this.#runs(plan);
      this.#history.tell(hash, { verdict });
    } else {
      await deployment.withdraw();
      this.#history.tell(hash, { state: 'Retired', verdict });
    }
    this.#say(end.outcome === 'Promote' ? 'Promoted' : 'Withdrawn', hash, endText(tried, trial, end));
  }

  /** The trial ends by something else than what it showed: that is nobody's verdict. */
  #forgetTrial(): void {
    if (this.#trial) this.#history.tell(this.#trial.plan.named.hash, { state: 'Proposed' });
    this.#trial = undefined;
    const { trial: _, ...memory } = this.#memory;
    this.#memory = memory;
  }

  get #evidence(): Evidence {
    const { sight, workflow, now } = this.#options;
    const plans = [this.#running, this.#trial?.plan].filter((p) => p !== undefined);
    const [spec] = plans.map((p) => p.snapshot.policy.spec);
    return spec ? sight.of(workflow).evidence(pricingOf(spec, plans), now()) : NO_EVIDENCE;
  }

  #offer(better: Applicable): void {
    this.#offered = better.named.hash;
    this.#say('Offered', better.named.hash, offerText(better));
  }

  async #deploy(declared: Declared, plan: Applicable): Promise<Deployed> {
    const { deployment, targetOf } = this.#options;
    if (this.#trial && this.#trial.plan !== plan) await deployment.withdraw();
    this.#forgetTrial();
    const deployed = await deployment.deploy(targetOf(plan, declared));
    if (deployed.ok) this.#runs(plan);
    return deployed;
  }

  #runs(plan: Applicable): void {
    const { hash } = plan.named;
    if (hash !== this.#runningHash) this.#sinceMs = this.#options.now();
    this.#running = plan;
    this.#offered = '';
    this.#history.tell(hash, { state: 'Current' });
  }

  get #runningHash(): string {
    return this.#running?.named.hash ?? '';
  }

  get #written(): string {
    return this.#declared?.object.spec.planRef.hash ?? '';
  }

  #current(): CurrentPlan | null {
    return this.#running ? { ...planShape(this.#running.named.object), sinceMs: this.#sinceMs } : null;
  }

  #say(kind: PlanNews['kind'], hash: string, message: string): void {
    this.#options.onNews({ ...this.#options.workflow, kind, hash, message });
  }
}

/** What is tried, and beside what. */
export interface Tried {
  readonly plan: Applicable;
  readonly beside: Applicable;
}

/** What is planned may follow from the time too: a cool-down ends, a plan that lost may be tried again. */
const REPLAN_MS = 10_000;

/** Nobody waits on a laptop for as long as a cluster can. */
const LOCAL_PACE: Pace = {
  ...PACE,
  warmUpMs: 3_000,
  blockMs: 2_000,
  startLimitMs: 30_000,
  downLimitMs: 5_000,
};

function termsOf({ snapshot }: Applicable): TrialTerms {
  const { objective, rollout } = snapshot.policy.spec;
  return {
    objective,
    minimumGain: rollout.minimumGainPercent / 100,
    maximumMs: rollout.maximumDurationSeconds * 1000,
    onRegression: rollout.onRegression,
    pace: LOCAL_PACE,
  };
}

const neverReady = (problem: string): TrialEnd => ({
  outcome: 'Withdraw',
  verdict: 'Worse',
  reason: 'NeverReady',
  message: `it did not come up: ${problem}`,
});

/** Nothing is to change but what is declared. */
const KEEP = { coolingUntilMs: Number.MAX_SAFE_INTEGER, candidate: null } as const;

/** What a plan's units are made from: with another content no known plan can be made any more. */
function contentOf({ workflow, functions }: Snapshot): string {
  const { planRef: _, policyRef: __, ...spec } = workflow.spec;
  return canonicalJson({ spec, functions });
}
