/**
 * What a real API server takes and refuses of our kinds: the table by which `validate` is judged too, and the size limits.
 * Everything is a dry run, but for the objects that an update needs to be there.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BAD_SHAPES, GOOD_SHAPES, RULE_SAMPLES } from '../../crds/src/testing/samples.ts';
import { RULES } from '../../crds/src/rules/index.ts';
import type { KubeClient } from '../../operator/src/kube/client.ts';
import { ApiError, isConflict } from '../../operator/src/kube/errors.ts';
import { KINDS, kind, pathOf } from '../../operator/src/kube/objects.ts';
import type { Kind, KubeObject } from '../../operator/src/kube/objects.ts';
import { FIELD_MANAGER, clusterClient, newNamespace } from './client.ts';

interface Sample {
  readonly object: unknown;
  /** What is stored before: the sample is an update. */
  readonly old?: unknown;
}

const SINTER = 'sinter.dev/v1alpha1';
const KIND_OF: Readonly<Record<string, Kind>> = {
  Function: kind(SINTER, 'Function', 'functions'),
  Workflow: kind(SINTER, 'Workflow', 'workflows'),
  OptimizationPolicy: kind(SINTER, 'OptimizationPolicy', 'optimizationpolicies'),
  ClusterOptimizationPolicy: kind(SINTER, 'ClusterOptimizationPolicy', 'clusteroptimizationpolicies', false),
  WorkflowPlan: kind(SINTER, 'WorkflowPlan', 'workflowplans'),
};
const QUERY = { fieldValidation: 'Strict', fieldManager: FIELD_MANAGER };

function kindOf(object: unknown): Kind {
  const found = KIND_OF[(object as KubeObject).kind];
  assert.ok(found, 'a kind of ours');
  return found;
}

/** Asks the server about samples, in a namespace. */
class Judge {
  readonly #client: KubeClient;
  readonly #namespace: string;
  #updates = 0;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async takes({ object, old }: Sample): Promise<void> {
    const withStatus = (object as { readonly status?: unknown }).status !== undefined;
    // The server drops a status that comes with an object: it is judged where a controller writes it.
    if (withStatus) await this.#update(old ?? object, object, 'status');
    else if (old === undefined) await this.#create(this.#placed(object), true);
    else await this.#update(old, object);
  }

  async refuses(sample: Sample): Promise<ApiError> {
    try {
      await this.takes(sample);
    } catch (cause) {
      if (cause instanceof ApiError && (cause.status === 422 || cause.status === 400)) return cause;
      throw cause;
    }
    throw new assert.AssertionError({ message: 'it was accepted' });
  }

  #placed(object: unknown): KubeObject {
    const { metadata, ...rest } = object as KubeObject;
    if (!kindOf(object).namespaced) return { ...rest, metadata };
    return { ...rest, metadata: { ...metadata, namespace: this.#namespace } };
  }

  #create(object: KubeObject, dryRun: boolean): Promise<KubeObject> {
    return this.#client.request({
      method: 'POST',
      path: pathOf(kindOf(object), object.metadata.namespace),
      query: { ...QUERY, ...(dryRun ? { dryRun: 'All' } : {}) },
      body: object,
    });
  }

  async #update(old: unknown, object: unknown, subresource?: 'status'): Promise<void> {
    const number = (this.#updates += 1); // others go on while this one waits
    const named = (o: unknown): KubeObject => {
      const { metadata, ...rest } = this.#placed(o);
      return { ...rest, metadata: { ...metadata, name: numbered(metadata.name, number) } };
    };
    const { metadata } = await this.#create(named(old), false);
    await this.#replace(named(object), metadata.name, subresource);
  }

  /** An operator that is there may write meanwhile: then once more, from what there is now. */
  async #replace(next: KubeObject, name: string, subresource?: 'status'): Promise<void> {
    const { namespace } = next.metadata;
    for (let left = 10; ; left--) {
      const { metadata } = await this.#client.get(kindOf(next), { namespace, name });
      try {
        await this.#client.request({
          method: 'PUT',
          path: pathOf(kindOf(next), namespace, name, subresource),
          query: { ...QUERY, dryRun: 'All' },
          body: { ...next, metadata: { ...next.metadata, resourceVersion: metadata.resourceVersion } },
        });
        return;
      } catch (cause) {
        if (left === 0 || !isConflict(cause)) throw cause;
      }
    }
  }
}

/** A name that no other sample has; its last ten characters are digits, as a plan's must be. */
const numbered = (name: string, n: number): string =>
  `${name.replace(/-[0-9a-f]{10}$/, '').slice(0, 29)}-${String(n).padStart(10, '0')}`;

describe('the API server', { concurrency: 4 }, () => {
  let client: KubeClient;
  let namespace = '';
  let judge: Judge;
  before(async () => {
    client = await clusterClient();
    namespace = await newNamespace(client, 'crds');
    judge = new Judge(client, namespace);
  });
  after(async () => {
    await client.delete(KINDS.namespaces, { name: namespace });
    client.close();
  });

  for (const { name, message } of RULES) {
    const { accepts = {}, rejects = {} } = RULE_SAMPLES[name] ?? {};
    for (const [sentence, sample] of Object.entries(accepts))
      it(`takes ${sentence} (${name})`, () => judge.takes(sample));
    for (const [sentence, sample] of Object.entries(rejects))
      it(`refuses ${sentence} (${name})`, async () => {
        const told = await judge.refuses(sample);
        // Where the schema speaks first, the server does not get as far as the rule.
        const bySchema = /Too (long|many)|Unsupported value|some validation rules were not checked/;
        assert.ok(told.message.includes(message) || bySchema.test(told.message), told.message);
      });
  }
  for (const [sentence, sample] of Object.entries(GOOD_SHAPES))
    it(`takes ${sentence}`, () => judge.takes(sample));
  for (const [sentence, sample] of Object.entries(BAD_SHAPES))
    it(`refuses ${sentence}`, async () => {
      await judge.refuses(sample);
    });

  it('takes a workflow of 200 functions, 500 edges and 50 triggers', () =>
    judge.takes({ object: largest.workflow }));
  it('takes a plan of 256 KiB', async () => {
    assert.ok(Buffer.byteLength(JSON.stringify(largest.plan)) > 255 * 1024);
    await judge.takes({ object: largest.plan });
  });
});

const largest = largestObjects();

function largestObjects(): { readonly workflow: unknown; readonly plan: unknown } {
  const names = Array.from({ length: 200 }, (_, i) => `${'f'.repeat(36)}-${String(i).padStart(3, '0')}`);
  const edges = [1, 2, 3].flatMap((step) =>
    names.slice(step).map((to, i) => ({ from: names[i] ?? '', to, call: 'Sync' })),
  );
  edges.length = 500;
  const http = (i: number): object => ({ path: `/${'p'.repeat(200)}/${String(i)}`, auth: { type: 'None' } });
  const triggers = names
    .slice(0, 50)
    .map((to, i) => ({ name: `t-${String(i)}`, to, type: 'Http', http: http(i) }));
  const workflowRef = { name: 'w'.repeat(40) };
  const units = names.map((fn) => ({
    name: `${'w'.repeat(40)}-0123456789`,
    functions: [fn],
    resources: { cpu: '1', memory: '256Mi' },
    variants: ['amd64', 'arm64'].map((architecture) => ({
      architecture,
      artifacts: [{ function: fn, artifact: 'js', isolation: 'Worker' }],
    })),
  }));
  const channels = edges.map(({ from, to }) => ({ from, to, channel: 'Remote' }));
  const decision = {
    about: 'x'.repeat(256),
    kind: 'Fusion',
    choice: 'Apart',
    reason: 'NotGrouped',
    message: 'm'.repeat(1024),
  };
  const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
  const room = 256 * 1024 - bytes({ workflowRef, units, channels, decisions: [] });
  const decisions = Array.from({ length: Math.floor(room / (bytes(decision) + 1)) }, () => decision);
  const object = (kindName: string, name: string, spec: object): object => ({
    apiVersion: SINTER,
    kind: kindName,
    metadata: { name },
    spec,
  });
  return {
    workflow: object('Workflow', workflowRef.name, {
      functions: names.map((name) => ({ name })),
      edges,
      triggers,
    }),
    plan: object('WorkflowPlan', `${workflowRef.name}-0123456789`, {
      workflowRef,
      units,
      channels,
      decisions,
    }),
  };
}
