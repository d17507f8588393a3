/**
 * What the page shows of the workflows of a cluster.
 *
 * Owns: putting a scene together out of stored objects and what was seen. What became of plans stands in their status, so that the
 * page says what kubectl says. `page/` draws it.
 */
import type { Sight } from '../bus/sight.ts';
import { keyOf } from '../kube/objects.ts';
import type { Finding } from '../model/finding.ts';
import type {
  Application,
  PolicySpec,
  WorkflowName,
  WorkflowObject,
  WorkflowPlanObject,
} from '../model/nouns.ts';
import { resolvePolicy } from '../model/policy.ts';
import { graphIn, policyIn } from '../page/index.ts';
import type { Scene, SceneTrial } from '../page/index.ts';
import { planShape } from '../resources/index.ts';
import { judged } from '../rollout/judge.ts';
import type { Trial } from '../rollout/index.ts';
import { NO_OBSERVATIONS } from '../snapshot/index.ts';
import type { Sights } from '../web/server.ts';
import { storedConditions } from './conditions.ts';
import { declaredOf, reading } from './declared.ts';
import type { StoredObject } from './kinds.ts';
import type { Stores } from './stores.ts';

export interface SceneryOptions {
  readonly stores: Pick<Stores, 'workflows' | 'plans' | 'policies' | 'clusterPolicies'>;
  readonly sight: Pick<Sight, 'known'>;
  /** What is compared at this moment, where anything is. */
  readonly trialOf?: (workflow: WorkflowName) => Trial | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class Scenery implements Sights {
  readonly #options: SceneryOptions;

  constructor(options: SceneryOptions) {
    this.#options = options;
  }

  workflows(): readonly WorkflowName[] {
    return this.#options.stores.workflows
      .list()
      .map(({ metadata: { namespace = '', name } }) => ({ namespace, workflow: name }))
      .sort((a, b) => (`${a.namespace}/${a.workflow}` < `${b.namespace}/${b.workflow}` ? -1 : 1));
  }

  scene({ namespace, workflow }: WorkflowName): Scene | undefined {
    const { stores, sight, now, trialOf } = this.#options;
    const key = keyOf({ namespace, name: workflow });
    const stored = stores.workflows.get(key);
    const read = stored && reading('Workflow', stored);
    if (!stored || !read?.ok) return undefined;
    const { object } = read.declared;
    const plans = declaredOf('WorkflowPlan', stores.plans.by('workflow', key)).map((d) => d.object);
    const current = plans.find((plan) => plan.status?.state === 'Current');
    const known = sight.known({ namespace, workflow });
    const policy = resolvePolicy(this.#policies(namespace), object);
    const trial = trialOf?.({ namespace, workflow });
    return {
      namespace,
      workflow,
      atMs: now(),
      graph: graphIn(object.spec),
      policy: policyIn(policy),
      current: current ? hashOf(current) : '',
      planRef: object.spec.planRef.hash,
      plans,
      observations: known?.figures(known.current, now()) ?? NO_OBSERVATIONS,
      trial: trial && judgedTrial(trial, policy.spec),
      news: [],
      findings: problemsOf(stored, object),
    };
  }

  /** As much of what is declared as says which policy holds. */
  #policies(namespace: string): Application {
    const { policies, clusterPolicies } = this.#options.stores;
    return {
      functions: [],
      workflows: [],
      configMaps: [],
      secrets: [],
      policies: declaredOf('OptimizationPolicy', policies.list(namespace)),
      clusterPolicies: declaredOf('ClusterOptimizationPolicy', clusterPolicies.list()),
    };
  }
}

const hashOf = (plan: WorkflowPlanObject): string => planShape(plan).hash;

function judgedTrial(trial: Trial, { objective, rollout }: PolicySpec): SceneTrial {
  const terms = { objective, minimumGain: rollout.minimumGainPercent / 100 };
  const { verdict, reason, interval } = judged(trial.scores, terms);
  return { trial, verdict, reason, interval };
}

/** Conditions that do not hold. */
function problemsOf(stored: StoredObject, { metadata }: WorkflowObject): readonly Finding[] {
  const object = { kind: 'Workflow', namespace: metadata.namespace ?? '', name: metadata.name };
  return storedConditions(stored.status)
    .filter((condition) => condition.status === 'False')
    .map(({ reason, message }) => ({ severity: 'Notice', reason, object, field: '', given: '', message }));
}
