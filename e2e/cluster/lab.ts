/**
 * Applications on the cluster, for scenarios: applied as users do, waited for by their conditions, called through the
 * gateway, changed under load.
 *
 * Neighbours: `harness.ts` speaks to the cluster, `../application.ts` makes manifests, `../load.ts` load.
 */
import assert from 'node:assert/strict';
import { WORKFLOW, app } from '../application.ts';
import type { AppOptions } from '../application.ts';
import { Load, failuresOf } from '../load.ts';
import type { Answer } from '../load.ts';
import {
  PATIENCE_MS,
  apply,
  call,
  condition,
  eventually,
  gatewayUrl,
  get,
  list,
  withNamespace,
} from './harness.ts';
import type { CallOptions, ClusterObject, Manifest } from './harness.ts';

export interface WorkflowObject extends ClusterObject {
  readonly status?: {
    readonly plan?: {
      readonly current?: string;
      readonly candidate?: string;
      readonly weightPercent?: number;
      readonly draining?: readonly string[];
    };
  };
}

export interface PodObject extends ClusterObject {
  readonly spec: { readonly nodeName?: string; readonly serviceAccountName?: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly { readonly restartCount: number; readonly ready?: boolean }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export const restarts = ({ status }: PodObject): number => status.containerStatuses?.[0]?.restartCount ?? 0;

export const isReady = ({ status }: PodObject): boolean =>
  status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;

export const UNIT_LABEL = 'sinter.dev/unit';

/** One application in a namespace of its own. */
export class Lab {
  readonly namespace: string;
  /** Paths are the gateway's, shared by all: each lab has one of its own. */
  readonly path: string;
  readonly #url: string;

  constructor(namespace: string, gateway: string) {
    this.namespace = namespace;
    this.path = `/${namespace}`;
    this.#url = gateway + this.path;
  }

  manifests(options: AppOptions): readonly Manifest[] {
    return app({ ...options, namespace: this.namespace, path: this.path });
  }

  /** Applies, and waits until the workflow answers for what it now is. Gives the hash of the plan that runs. */
  async deploy(options: AppOptions, limitMs = PATIENCE_MS): Promise<string> {
    await apply(this.manifests(options), this.namespace);
    return await this.ready(limitMs);
  }

  /** Applies what must lead to another plan, and waits until that one alone runs. */
  async change(options: AppOptions, limitMs = PATIENCE_MS): Promise<string> {
    const before = await this.plan();
    await apply(this.manifests(options), this.namespace);
    await eventually(
      'another plan runs',
      async () => {
        const { current = '', candidate } = (await this.#status())?.plan ?? {};
        return current !== before && current !== '' && candidate === undefined;
      },
      limitMs,
      () => this.#status(),
    );
    return await this.ready(limitMs);
  }

  async ready(limitMs = PATIENCE_MS): Promise<string> {
    await condition('workflow', WORKFLOW, this.namespace, 'Ready', 'True', limitMs);
    const hash = await this.plan();
    assert.notEqual(hash, '', 'a plan runs');
    return hash;
  }

  /** Hash of the plan that runs; empty: none. */
  async plan(): Promise<string> {
    return (await this.#status())?.plan?.current ?? '';
  }

  /** The plans that are live. */
  async live(): Promise<NonNullable<NonNullable<WorkflowObject['status']>['plan']>> {
    return (await this.#status())?.plan ?? {};
  }

  async call(body: unknown = null, options: CallOptions = {}): Promise<Answer> {
    return await call(this.#url, body, options);
  }

  /** State and result of an async call of the entry. */
  async state(callId: string): Promise<Answer> {
    const calls = `/call/${this.namespace}/${WORKFLOW}/calls/${callId}`;
    return await call((await gatewayUrl()) + calls, null, { method: 'GET' });
  }

  async pods(): Promise<readonly PodObject[]> {
    return await list<PodObject>('pods', this.namespace, UNIT_LABEL);
  }

  /** Pods that are not on their way out. */
  async living(): Promise<readonly PodObject[]> {
    return (await this.pods()).filter((p) => p.metadata.deletionTimestamp === undefined);
  }

  /** 50 calls a second (or as many as given) while something happens; every one must succeed. Gives the answers. */
  async underLoad(
    happens: (load: Load) => Promise<void>,
    options: LoadTerms = {},
  ): Promise<readonly Answer[]> {
    const { perSecond = 50, most = 20_000, body } = options;
    const load = new Load({ perSecond, most, one: (i) => this.call(body?.(i) ?? i) });
    try {
      await more(load);
      await happens(load);
      await more(load);
    } finally {
      await load.stop();
    }
    const answers = await load.stop();
    assert.ok(answers.length < most, 'the load lasted as long as what happened');
    assert.deepEqual(failuresOf(answers), []);
    return answers;
  }

  async #status(): Promise<WorkflowObject['status']> {
    return (await get<WorkflowObject>('workflow', WORKFLOW, this.namespace))?.status;
  }
}

export interface LoadTerms {
  readonly perSecond?: number;
  /** No call is started after so many. */
  readonly most?: number;
  readonly body?: (i: number) => unknown;
}

/** The load goes on: a second's worth of calls has been started since. */
async function more(load: Load): Promise<void> {
  const until = load.started + 50;
  await eventually('load goes on', () => load.started >= until);
}

/** A lab in a namespace that is taken away afterwards; with what is wrong there, when the scenario fails. */
export const withLab = <T>(
  purpose: string,
  scenario: (lab: Lab) => Promise<T>,
  labels: Readonly<Record<string, string>> = {},
): Promise<T> =>
  withNamespace(purpose, async (namespace) => await scenario(new Lab(namespace, await gatewayUrl())), labels);
