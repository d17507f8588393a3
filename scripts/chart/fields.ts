/**
 * The parts that several values of the chart have in common: what a container and a pod may be given.
 *
 * Owns: their shapes, defaults and sentences. Its neighbour `values.ts` puts them together.
 * Invariant: every field has a default and a description; `describe` is the outermost call, so that it is found.
 */
import { z } from 'zod';

export const text = (value: string, description: string) => z.string().default(value).describe(description);

export const flag = (value: boolean, description: string) => z.boolean().default(value).describe(description);

export const count = (value: number, least: number, most: number, description: string) =>
  z.int().min(least).max(most).default(value).describe(description);

export const oneOf = <const T extends readonly [string, ...string[]]>(
  names: T,
  value: NoInfer<T[number]>,
  description: string,
) =>
  z
    .enum(names)
    .default(value as never)
    .describe(description);

/** An object of Kubernetes itself, which the API server checks. */
export const anyObject = (description: string, value: Record<string, unknown> = {}) =>
  z.looseObject({}).default(value).describe(description);

export const anyObjects = (description: string) =>
  z.array(z.looseObject({})).default([]).describe(description);

export const texts = (description: string) => z.array(z.string().min(1)).default([]).describe(description);

export const words = (description: string) =>
  z.record(z.string(), z.string()).default({}).describe(description);

/** A group of values: nothing but what is named here is accepted in it. */
export const group = <S extends z.ZodRawShape>(shape: S, description: string) =>
  z
    .strictObject(shape)
    .prefault({} as never)
    .describe(description);

const QUANTITY = /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;

export const quantity = (value: string, description: string) =>
  z.string().regex(QUANTITY).default(value).describe(description);

const amounts = z.record(z.string(), z.union([z.string().regex(QUANTITY), z.number().min(0)]));

export const resources = (requests: Record<string, string>, limits: Record<string, string>) =>
  z
    .strictObject({
      requests: amounts.default(requests).describe('What the scheduler sets aside.'),
      limits: amounts
        .default(limits)
        .describe('What is never exceeded. No CPU limit by default: it only slows.'),
      claims: anyObjects('Resource claims of the container.'),
    })
    .prefault({})
    .describe('CPU and memory of the container.');

/** What decides where pods run, and what they carry. */
export const scheduling = (what: string, tolerations: readonly Record<string, unknown>[] = []) => ({
  podLabels: words(`More labels on the pods of ${what}.`),
  podAnnotations: words(`Annotations on the pods of ${what}.`),
  priorityClassName: text('', `Priority class of ${what}; empty: the cluster's default.`),
  nodeSelector: words(`Labels that a machine must have to run ${what}.`),
  tolerations: z
    .array(z.looseObject({}))
    .default([...tolerations])
    .describe(`Taints that ${what} tolerates.`),
  affinity: anyObject(`Affinity of ${what}, as in a pod.`),
});

export const spread = (what: string) => ({
  topologySpreadConstraints: z
    .array(z.looseObject({}))
    .default([])
    .describe(
      `How ${what} is spread, as in a pod without labelSelector. Empty: over machines and zones, where it can be.`,
    ),
});

/** What a container of Sinter can be given beyond what the chart gives it. */
export const extras = (what: string) => ({
  extraEnv: anyObjects(`More environment variables of ${what}, as in a container.`),
  extraArgs: texts(`More arguments of Node for ${what}, before the program.`),
  extraVolumes: anyObjects(`More volumes of ${what}, as in a pod.`),
  extraVolumeMounts: anyObjects(`Where ${what} mounts them, as in a container.`),
});

export const disruption = (what: string) =>
  group(
    {
      enabled: flag(true, `Protect ${what} against evictions; rendered only for more than one replica.`),
      maxUnavailable: count(1, 1, 100, 'How many pods an eviction may take at once.'),
    },
    `PodDisruptionBudget of ${what}.`,
  );
