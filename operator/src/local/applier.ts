/**
 * From declared objects to running deployments: gather, judge, plan, deploy, report (the laptop's reconciler).
 *
 * Owns: the order of these steps, and what is known of each workflow afterwards. It starts nothing itself: `optimiser.ts` has
 * the plans of one workflow, `deployment.ts` changes what of it runs, `main.ts` owns processes.
 * Invariants:
 *  1. A workflow with an Error among its findings keeps what ran.
 *  2. Only when every object could be read are workflows that are no longer declared taken away: a typing error must not
 *     look like a deletion.
 */
import { check, findingsFor } from '../model/check.ts';
import { error, isError, notice } from '../model/finding.ts';
import type { Finding } from '../model/finding.ts';
import { notYet } from '../model/notYet.ts';
import { namespaceOf } from '../model/nouns.ts';
import type { WorkflowName, WorkflowObject } from '../model/nouns.ts';
import type { Snapshot } from '../snapshot/index.ts';
import { ControlRefusal } from './control.ts';
import type { Deployment } from './deployment.ts';
import type { Applicable } from './history.ts';
import { Optimiser } from './optimiser.ts';
import type { Declared, OptimiserPorts, Pictured, Taken } from './optimiser.ts';
import type { AppliedWorkflow, ApplyReport, RawObject, RunState } from './run.ts';
import { targetOf } from './targets.ts';
import type { LocalMachine } from './targets.ts';
import { worldOf } from './world.ts';
import type { World } from './world.ts';

export interface ApplierOptions extends OptimiserPorts {
  readonly machines: readonly LocalMachine[];
  readonly newDeployment: (workflow: WorkflowName) => Deployment;
  /** The docker config of who runs this: what units pull images with, after their own pull secrets. */
  readonly userConfig?: string | undefined;
}

interface Known {
  readonly deployment: Deployment;
  readonly optimiser: Optimiser;
  applied: AppliedWorkflow;
}

const UNCHANGED = { started: [], kept: [], drained: [] } as const;
const idOf = (w: WorkflowName): string => `${w.namespace}/${w.workflow}`;

export class Applier {
  readonly #options: ApplierOptions;
  readonly #known = new Map<string, Known>();
  /** When a workflow was declared first: of two that want a path the older one keeps it. */
  #declaredAt: ReadonlyMap<string, string> = new Map();

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  /** Every workflow as it is now. */
  get state(): RunState['workflows'] {
    return [...this.#known.values()].map(({ applied, optimiser }) => {
      const { namespace, workflow, findings } = applied;
      const { running, planRef, plans } = optimiser;
      const hash = running?.named.hash ?? '';
      return {
        namespace,
        workflow,
        hash,
        planObject: running && { ...running.named.object },
        findings,
        planRef,
        plans,
      };
    });
  }

  get deployments(): readonly Deployment[] {
    return [...this.#known.values()].map((k) => k.deployment);
  }

  deployment(workflow: WorkflowName): Deployment | undefined {
    return this.#known.get(idOf(workflow))?.deployment;
  }

  /** What there is to see. */
  get workflows(): readonly WorkflowName[] {
    return [...this.#known.values()].map(({ applied: { namespace, workflow } }) => ({ namespace, workflow }));
  }

  /** One workflow as a picture shows it; undefined: it is not in this run, or nothing of it could be taken yet. */
  pictured(workflow: WorkflowName): (Pictured & Pick<AppliedWorkflow, 'findings'>) | undefined {
    const known = this.#known.get(idOf(workflow));
    const pictured = known?.optimiser.pictured;
    return known && pictured && { ...pictured, findings: known.applied.findings };
  }

  /** What a plan of the workflow would be made from now. Throws a ControlRefusal where there is none. */
  snapshot(workflow: WorkflowName): Snapshot {
    const snapshot = this.#needKnown(workflow).optimiser.snapshot();
    if (snapshot) return snapshot;
    throw new ControlRefusal(409, `${idOf(workflow)} does not run: its findings say why`);
  }

  /** Has that plan run; see `Optimiser.choose`. Gives the hash of the plan that runs then. */
  async choose(workflow: WorkflowName, hash: string): Promise<string> {
    const { optimiser } = this.#needKnown(workflow);
    await optimiser.choose(hash);
    return optimiser.running?.named.hash ?? '';
  }

  /** Goes on making plans better; says whether `state` has changed. One at a time, as `apply`. */
  async look(): Promise<boolean> {
    let changed = false;
    for (const { optimiser } of this.#known.values()) changed = (await optimiser.look()) || changed;
    return changed;
  }

  /** One at a time: the caller sees to that. */
  async apply(objects: readonly RawObject[]): Promise<ApplyReport> {
    const world = worldOf(this.#dated(objects));
    const findings = [...world.findings, ...check(world.application), ...notYet(world.application, 'Run')];
    const workflows: AppliedWorkflow[] = [];
    for (const { object } of world.application.workflows)
      workflows.push(await this.#applyWorkflow(object, world, findings));
    if (!world.findings.some(isError)) await this.#removeOthers(world);
    return { findings, workflows };
  }

  /** A workflow without a time of creation was created when it was first seen here, as a cluster would have it. */
  #dated(objects: readonly RawObject[]): readonly RawObject[] {
    const declaredAt = new Map<string, string>();
    const now = new Date(this.#options.now()).toISOString();
    const dated = objects.map((object) => {
      const { kind, metadata } = object;
      if (kind !== 'Workflow' || typeof metadata !== 'object' || metadata === null) return object;
      const fields: Readonly<Record<string, unknown>> = { ...metadata };
      const id = JSON.stringify([fields['namespace'], fields['name']]);
      const creationTimestamp = this.#declaredAt.get(id) ?? now;
      declaredAt.set(id, creationTimestamp);
      return { ...object, metadata: { creationTimestamp, ...fields } };
    });
    this.#declaredAt = declaredAt;
    return dated;
  }

  async #applyWorkflow(
    object: WorkflowObject,
    world: World,
    found: readonly Finding[],
  ): Promise<AppliedWorkflow> {
    const name = { namespace: namespaceOf(object), workflow: object.metadata.name };
    const known = this.#knownOf(name);
    const declared = { object, world };
    const proposal = known.optimiser.propose(declared);
    const findings = [...findingsFor(found, name, world.application), ...(proposal?.plan.findings ?? [])];
    const unread = world.findings.some(isError);
    if (!proposal?.named || unread || findings.some(isError)) {
      known.applied = { ...known.applied, findings };
      return { ...known.applied, ...UNCHANGED, plan: undefined, planObject: undefined };
    }
    return await this.#take(known, declared, { ...proposal, named: proposal.named }, findings);
  }

  async #take(
    known: Known,
    declared: Declared,
    plan: Applicable,
    found: readonly Finding[],
  ): Promise<AppliedWorkflow> {
    const taken = await known.optimiser.take(declared, plan);
    const findings = [...found, ...findingsOf(taken, declared.object, plan.named.hash)];
    if (taken.kind === 'Runs') {
      const { started, kept, drained } = taken.deployed;
      known.applied = { ...known.applied, ...planned(taken.plan), started, kept, drained, findings };
      return known.applied;
    }
    known.applied = { ...known.applied, findings };
    const { hash } = known.applied;
    return { ...known.applied, ...(taken.kind === 'Failed' ? planned(plan) : {}), hash, ...UNCHANGED };
  }

  async #removeOthers(world: World): Promise<void> {
    const declared = new Set(
      world.application.workflows.map(({ object }) => `${namespaceOf(object)}/${object.metadata.name}`),
    );
    for (const [id, { deployment }] of this.#known) {
      if (declared.has(id)) continue;
      await deployment.remove();
      this.#known.delete(id);
    }
  }

  #needKnown(workflow: WorkflowName): Known {
    const known = this.#known.get(idOf(workflow));
    if (known) return known;
    throw new ControlRefusal(404, `${idOf(workflow)} is not in this run`);
  }

  #knownOf(workflow: WorkflowName): Known {
    const known = this.#known.get(idOf(workflow));
    if (known) return known;
    const { machines, userConfig } = this.#options;
    const deployment = this.#options.newDeployment(workflow);
    const optimiser = new Optimiser({
      ...this.#options,
      workflow,
      deployment,
      targetOf: ({ plan, snapshot }, { object, world }) =>
        targetOf(plan, snapshot, object, world, machines, userConfig),
    });
    const nothing = { ...workflow, ...UNCHANGED, hash: '', plan: undefined, planObject: undefined };
    const fresh: Known = { deployment, optimiser, applied: { ...nothing, findings: [] } };
    this.#known.set(idOf(workflow), fresh);
    return fresh;
  }
}

const planned = ({ plan, named }: Applicable): Pick<AppliedWorkflow, 'hash' | 'plan' | 'planObject'> => ({
  hash: named.hash,
  plan,
  planObject: { ...named.object },
});

/** Why something else runs than the plan that these objects give. */
function findingsOf(taken: Taken, workflow: WorkflowObject, given: string): readonly Finding[] {
  const object = { kind: 'Workflow', namespace: namespaceOf(workflow), name: workflow.metadata.name };
  const place = (hash: string) => ({ object, field: 'spec.planRef.hash', given: hash });
  const { name } = object;
  const isWritten = workflow.spec.planRef.hash !== '';
  const how = isWritten ? `write ${given} there or leave it empty` : `use 'sinter approve ${name} --any'`;
  const remedy = `to go on to the plan that these objects give, ${how}`;
  switch (taken.kind) {
    case 'Runs': {
      if (!taken.chosen) return [];
      return [notice('PlanPinned', place(taken.plan.named.hash), `is the plan that runs; ${remedy}`)];
    }
    case 'Stays':
      return [notice('PlanPinned', place(taken.hash), `is the plan that runs, and stays; ${remedy}`)];
    case 'Unknown':
      return [error('PlanNotFound', place(taken.hash), `is no plan that is known here; ${remedy}`)];
    case 'Failed':
      return [error('UnitFailed', { object, field: '' }, `${taken.problem}; what ran before goes on`)];
  }
}
