/**
 * Where calls enter a folder of manifests: the first workflow with an Http trigger, else the first function of the first
 * one; and the recorded input that lies beside the manifests.
 *
 * Owns: the conventions of an example: `readings/*.jsonl` holds one input a line, `*.json` beside the kustomization is
 * one input. They are conventions of folders, not of the API.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RawObject } from '@sinter/operator/local/run';

export interface Root {
  readonly namespace: string;
  readonly workflow: string;
  readonly function: string;
  /** Of the Http trigger, where it is open to everybody; undefined: by the run's token only. */
  readonly path: string | undefined;
  readonly method: string;
  /** Name of a file with one input, beside the manifests; undefined: there is none. */
  readonly sample: string | undefined;
}

interface TriggerLike {
  readonly to?: string;
  readonly type?: string;
  readonly http?: {
    readonly path?: string;
    readonly methods?: readonly string[];
    readonly auth?: { readonly type?: string };
  };
}

interface WorkflowLike {
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly functions: readonly { readonly name: string }[];
    readonly triggers?: readonly TriggerLike[];
  };
}

/** To be asked of objects that validation has passed. */
export function rootOf(objects: readonly RawObject[], folder?: string): Root | undefined {
  const workflows = objects.filter((o) => o['kind'] === 'Workflow') as unknown as readonly WorkflowLike[];
  const httpOf = (w: WorkflowLike): TriggerLike | undefined =>
    w.spec.triggers?.find((t) => t.type === 'Http');
  const workflow = workflows.find(httpOf) ?? workflows[0];
  if (workflow === undefined) return undefined;
  const trigger = httpOf(workflow);
  return {
    namespace: workflow.metadata.namespace ?? 'default',
    workflow: workflow.metadata.name,
    function: trigger?.to ?? workflow.spec.functions[0]?.name ?? '',
    path: trigger?.http?.auth?.type === 'None' ? (trigger.http.path ?? '/') : undefined,
    method: trigger?.http?.methods?.[0] ?? 'POST',
    sample: folder === undefined ? undefined : sampleIn(folder),
  };
}

function sampleIn(folder: string): string | undefined {
  try {
    return readdirSync(folder).find((name) => name.endsWith('.json') && name !== 'package.json');
  } catch {
    return undefined; // a file was given, not a folder
  }
}

/** Every recorded input beside the manifests, in order: lines of `readings/*.jsonl`. */
export function recordedInputs(folder: string): readonly string[] {
  const readings = join(folder, 'readings');
  try {
    const files = readdirSync(readings).filter((name) => name.endsWith('.jsonl'));
    const lines = files.sort().flatMap((name) => readFileSync(join(readings, name), 'utf8').split('\n'));
    return lines.filter((line) => line.trim() !== '');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR'))
      return [];
    throw cause;
  }
}

/**
 * Executions of each function for one call of the root: every declared edge taken once by each execution of its caller.
 * An application whose calls depend on its input does not follow that, and then only its root can be counted on.
 */
export function executionsPerCall(
  root: string,
  edges: readonly { readonly from: string; readonly to: string }[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  let wave: ReadonlyMap<string, number> = new Map([[root, 1]]);
  for (let depth = 0; depth < MAX_DEPTH && wave.size > 0; depth += 1) {
    for (const [fn, n] of wave) add(counts, fn, n);
    const next = new Map<string, number>();
    for (const { from, to } of edges) if (wave.has(from)) add(next, to, wave.get(from) ?? 0);
    wave = next;
  }
  return counts;
}

/** An async cycle has no end that the graph could tell. */
const MAX_DEPTH = 32;

function add(counts: Map<string, number>, fn: string, n: number): void {
  counts.set(fn, (counts.get(fn) ?? 0) + n);
}
