/**
 * What the page shows of the workflows of this run.
 *
 * Owns: putting a scene together out of what runs, and what became of plans with its times. `page/` draws it.
 */
import type { WorkflowName, WorkflowPlanObject } from '../model/nouns.ts';
import { resolvePolicy } from '../model/policy.ts';
import { graphIn, policyIn } from '../page/index.ts';
import type { Scene, SceneNews, SceneTrial } from '../page/index.ts';
import { judged } from '../rollout/judge.ts';
import type { Sights } from '../web/server.ts';
import type { Applier } from './applier.ts';
import type { Pictured } from './optimiser.ts';
import type { PlanNews } from './run.ts';

/** Of one workflow; the oldest are forgotten. */
const NEWS_KEPT = 50;

export class Scenery implements Sights {
  readonly #applier: () => Pick<Applier, 'workflows' | 'pictured'>;
  readonly #now: () => number;
  readonly #news = new Map<string, readonly SceneNews[]>();

  /** `now`: milliseconds since 1970. */
  constructor(applier: () => Pick<Applier, 'workflows' | 'pictured'>, now: () => number) {
    this.#applier = applier;
    this.#now = now;
  }

  told({ namespace, workflow, kind, hash, message }: PlanNews): void {
    const id = `${namespace}/${workflow}`;
    const news = [...(this.#news.get(id) ?? []), { atMs: this.#now(), kind, hash, message }];
    this.#news.set(id, news.slice(-NEWS_KEPT));
  }

  workflows(): readonly WorkflowName[] {
    return this.#applier().workflows;
  }

  scene(name: WorkflowName): Scene | undefined {
    const pictured = this.#applier().pictured(name);
    if (!pictured) return undefined;
    const { declared, hash, sinceMs, observations, findings } = pictured;
    const { object, world } = declared;
    const { namespace, workflow } = name;
    return {
      namespace,
      workflow,
      atMs: this.#now(),
      graph: graphIn(object.spec),
      policy: policyIn(resolvePolicy(world.application, object)),
      current: hash,
      sinceMs,
      planRef: pictured.planRef,
      plans: plansOf(pictured),
      observations,
      trial: trialOf(pictured),
      news: this.#news.get(`${namespace}/${workflow}`) ?? [],
      findings,
    };
  }
}

/** As a cluster would show them. */
const plansOf = ({ plans }: Pictured): readonly WorkflowPlanObject[] =>
  plans.flatMap(({ told, plan }): readonly WorkflowPlanObject[] => {
    if (!plan) return [];
    const { sequence, state, baseline, verdict } = told;
    const comparison = {
      ...(baseline === undefined ? {} : { baseline }),
      ...(verdict === undefined ? {} : { verdict: verdict as 'Better' | 'Worse' | 'Undecided' }),
    };
    return [{ ...plan.named.object, status: { sequence, state, comparison } }];
  });

function trialOf({ trial: tried }: Pictured): SceneTrial | undefined {
  if (!tried) return undefined;
  const { verdict, reason, interval } = judged(tried.trial.scores, tried.terms);
  return { trial: tried.trial, verdict, reason, interval };
}
