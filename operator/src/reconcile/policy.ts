/**
 * The controllers of OptimizationPolicy and ClusterOptimizationPolicy: whether each can be followed, and for whom it holds.
 *
 * Owns: their status. What a policy decides is decided where its workflows are planned.
 */
import { check } from '../model/check.ts';
import type { Finding } from '../model/finding.ts';
import { notYet } from '../model/notYet.ts';
import type { Application, WorkflowObject } from '../model/nouns.ts';
import { namespaceOf } from '../model/nouns.ts';
import { policyObjectOf } from '../model/policy.ts';
import { applyStatus } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { settled } from '../kube/controller.ts';
import type { Result } from '../kube/controller.ts';
import { isNotFound } from '../kube/errors.ts';
import { placeOf } from '../kube/objects.ts';
import { conditionsOf, errorsOf, findingsMessage, notYetFacts, storedConditions } from './conditions.ts';
import type { Fact } from './conditions.ts';
import { declaredOf, reading } from './declared.ts';
import { MANAGER, SINTER } from './kinds.ts';
import type { StoredObject } from './kinds.ts';
import type { Stores } from './stores.ts';

export interface PolicyOptions {
  readonly client: KubeClient;
  readonly stores: Stores;
  /** RFC 3339, in whole seconds. */
  readonly date: () => string;
}

type PolicyKind = 'OptimizationPolicy' | 'ClusterOptimizationPolicy';

const NAMES_SHOWN = 10;

export class PolicyReconciler {
  readonly #options: PolicyOptions;

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  policy(key: string, signal: AbortSignal): Promise<Result> {
    return this.#reconcile('OptimizationPolicy', this.#options.stores.policies.get(key), signal);
  }

  clusterPolicy(key: string, signal: AbortSignal): Promise<Result> {
    const stored = this.#options.stores.clusterPolicies.get(placeOf(key).name);
    return this.#reconcile('ClusterOptimizationPolicy', stored, signal);
  }

  async #reconcile(kind: PolicyKind, stored: StoredObject | undefined, signal: AbortSignal): Promise<Result> {
    if (!stored || stored.metadata.deletionTimestamp !== undefined) return settled;
    const { client, date } = this.#options;
    const read = reading(kind, stored);
    const { findings, users } = read.ok ? this.#judge(kind, stored) : { findings: read.findings, users: [] };
    const status = policyStatus({ kind, stored, findings, users, now: date() });
    const of = kind === 'OptimizationPolicy' ? SINTER.policies : SINTER.clusterPolicies;
    try {
      await applyStatus({ client, kind: of, current: stored, status, manager: MANAGER.policy, signal });
    } catch (cause) {
      if (!isNotFound(cause)) throw cause;
    }
    return settled;
  }

  #judge(
    kind: PolicyKind,
    stored: StoredObject,
  ): { readonly findings: readonly Finding[]; readonly users: readonly string[] } {
    const { stores } = this.#options;
    const { namespace, name } = stored.metadata;
    const application: Application = {
      functions: [],
      workflows: declaredOf('Workflow', stores.workflows.list(namespace)),
      policies: declaredOf('OptimizationPolicy', stores.policies.list(namespace)),
      clusterPolicies: declaredOf('ClusterOptimizationPolicy', stores.clusterPolicies.list()),
      configMaps: [],
      secrets: [],
      secretsUnknown: true,
    };
    const isAbout = ({ object }: Finding): boolean => object.kind === kind && object.name === name;
    const holdsFor = (w: WorkflowObject): boolean => {
      const found = policyObjectOf(application, w)?.object;
      return found?.kind === kind && found.metadata.name === name;
    };
    return {
      findings: [...check(application), ...notYet(application)].filter(isAbout),
      users: application.workflows
        .map((w) => w.object)
        .filter(holdsFor)
        .map((w) =>
          kind === 'OptimizationPolicy' ? w.metadata.name : `${namespaceOf(w)}/${w.metadata.name}`,
        )
        .sort(),
    };
  }
}

interface PolicyFacts {
  readonly kind: PolicyKind;
  readonly stored: StoredObject;
  readonly findings: readonly Finding[];
  readonly users: readonly string[];
  readonly now: string;
}

export function policyStatus({ kind, stored, findings, users, now }: PolicyFacts): object {
  const generation = stored.metadata.generation ?? 0;
  const errors = errorsOf(findings);
  const about = { kind };
  const ready: Fact = {
    type: 'Ready',
    ...(errors[0]
      ? { status: 'False', reason: errors[0].reason, message: findingsMessage(errors, about) }
      : { status: 'True', ...use(users) }),
  };
  const stalled: readonly Fact[] = errors[0]
    ? [{ type: 'Stalled', status: 'True', reason: ready.reason, message: ready.message }]
    : [];
  const all = [ready, ...stalled, ...notYetFacts(findings, about)];
  return {
    observedGeneration: generation,
    conditions: conditionsOf(all, storedConditions(stored.status), generation, now),
  };
}

function use(users: readonly string[]): { readonly reason: string; readonly message: string } {
  if (users.length === 0) return { reason: 'NotUsed', message: 'it holds for no workflow' };
  const more = users.length - NAMES_SHOWN;
  const names = users.slice(0, NAMES_SHOWN).join(', ');
  return {
    reason: 'InUse',
    message: `it holds for ${names}${more > 0 ? ` and ${String(more)} more` : ''}`,
  };
}
