/**
 * From declared objects to running deployments: gather, judge, plan, deploy, report (the laptop's reconciler).
 *
 * Owns: the order of these steps, and what is known of each workflow afterwards. It starts nothing itself: `deployment.ts`
 * changes one workflow, `main.ts` owns processes.
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
import { propose } from '../resources/index.ts';
import type { NamedProposal, Proposal } from '../resources/index.ts';
import type { Deployment } from './deployment.ts';
import type { AppliedWorkflow, ApplyReport, RawObject } from './run.ts';
import { targetOf } from './targets.ts';
import type { LocalMachine } from './targets.ts';
import { worldOf } from './world.ts';
import type { World } from './world.ts';

export interface ApplierOptions {
  readonly machines: readonly LocalMachine[];
  readonly newDeployment: (workflow: WorkflowName) => Deployment;
  readonly now: () => number;
  /** The docker config of who runs this: what units pull images with, after their own pull secrets. */
  readonly userConfig?: string | undefined;
}

interface Known {
  readonly deployment: Deployment;
  applied: AppliedWorkflow;
}

/** What may be applied. */
interface Applicable extends Proposal {
  readonly named: NamedProposal;
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

  get applied(): readonly AppliedWorkflow[] {
    return [...this.#known.values()].map((k) => k.applied);
  }

  get deployments(): readonly Deployment[] {
    return [...this.#known.values()].map((k) => k.deployment);
  }

  deployment(workflow: WorkflowName): Deployment | undefined {
    return this.#known.get(idOf(workflow))?.deployment;
  }

  /** One at a time: the caller sees to that. */
  async apply(objects: readonly RawObject[]): Promise<ApplyReport> {
    const world = worldOf(this.#dated(objects));
    const findings = [...world.findings, ...check(world.application), ...notYet(world.application)];
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
    const proposal = this.#propose(name, world);
    const findings = [...findingsFor(found, name, world.application), ...(proposal?.plan.findings ?? [])];
    const unread = world.findings.some(isError);
    if (!proposal?.named || unread || findings.some(isError)) {
      known.applied = { ...known.applied, findings };
      return { ...known.applied, ...UNCHANGED, plan: undefined, planObject: undefined };
    }
    return await this.#deploy(known, object, world, { ...proposal, named: proposal.named }, findings);
  }

  #propose(name: WorkflowName, world: World): Proposal | undefined {
    const { machines, now } = this.#options;
    const { application } = world;
    return propose({ application, workflow: name, machines, current: null, nowMs: now() });
  }

  async #deploy(
    known: Known,
    object: WorkflowObject,
    world: World,
    { plan, snapshot, named }: Applicable,
    findings: readonly Finding[],
  ): Promise<AppliedWorkflow> {
    const { machines, userConfig } = this.#options;
    const target = targetOf(plan, snapshot, object, world, machines, userConfig);
    const pin = pinnedElsewhere(object, target.hash, known.applied.hash);
    if (pin) {
      known.applied = { ...known.applied, findings: [...findings, pin] };
      return { ...known.applied, ...UNCHANGED };
    }
    const { ok, problem, ...units } = await known.deployment.deploy(target);
    const planned = { plan, planObject: { ...named.object } };
    if (ok) {
      known.applied = { ...known.applied, ...planned, ...units, hash: target.hash, findings };
      return known.applied;
    }
    const place = { object: { kind: 'Workflow', namespace: plan.namespace, name: plan.workflow }, field: '' };
    const failed = error('UnitFailed', place, `${problem ?? 'a unit failed'}; what ran before goes on`);
    known.applied = { ...known.applied, findings: [...findings, failed] };
    return { ...known.applied, ...planned, ...UNCHANGED };
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

  #knownOf(name: WorkflowName): Known {
    const known = this.#known.get(idOf(name));
    if (known) return known;
    const nothing = { ...name, ...UNCHANGED, hash: '', plan: undefined, planObject: undefined, findings: [] };
    const fresh: Known = { deployment: this.#options.newDeployment(name), applied: nothing };
    this.#known.set(idOf(name), fresh);
    return fresh;
  }
}

/** `planRef` names another plan than the one that would be made now: what runs stays, and why is said (D12). */
function pinnedElsewhere(workflow: WorkflowObject, planned: string, running: string): Finding | undefined {
  const { hash } = workflow.spec.planRef;
  if (hash === '' || hash === planned) return undefined;
  const object = { kind: 'Workflow', namespace: namespaceOf(workflow), name: workflow.metadata.name };
  const place = { object, field: 'spec.planRef.hash', given: hash };
  const remedy = `to go on to the plan that these objects give, write ${planned} there or leave it empty`;
  if (hash === running) return notice('PlanPinned', place, `is the plan that runs, and stays; ${remedy}`);
  return error('PlanNotFound', place, `is no plan that is known here; ${remedy}`);
}
