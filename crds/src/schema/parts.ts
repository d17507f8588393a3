/**
 * The building blocks of every schema: bounded scalars, quantities, references, metadata, conditions.
 *
 * Owns: the subset of zod that becomes a structural schema, so that a field written with these parts is
 * accepted by an API server. Neighbours: `function.ts`, `workflow.ts`, `policy.ts`, `plan.ts` compose them;
 * `../structural.ts` turns the result into OpenAPI.
 *
 * Invariants
 * 1. Everything is bounded: strings by `maxLength`, lists by `maxItems`, maps by `maxProperties`, numbers by
 *    both ends. Without bounds the API server cannot estimate what a CEL rule costs and refuses the CRD.
 * 2. No transform, pipe or coercion. A `refine` is allowed only beside a `meta` keyword that says the same to
 *    the API server.
 * 3. Every pattern compiles in RE2 and has a sentence in `PATTERNS`, because a regular expression is no message.
 */
import { z } from 'zod';

/** Longest name of a Function, a Workflow and of anything inside a graph: names become subject tokens. */
export const NAME_MAX = 40;
/** Most functions in one Workflow. */
export const FUNCTIONS_MAX = 200;
/** Most edges in one Workflow. */
export const EDGES_MAX = 500;

export const DNS_LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
export const DNS_SUBDOMAIN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';
export const OPTIONAL_DNS_LABEL = '^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$';
export const OPTIONAL_DNS_SUBDOMAIN = '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$';
export const ENV_NAME = '^[-._a-zA-Z][-._a-zA-Z0-9]*$';
export const ENV_PREFIX = '^([-._a-zA-Z][-._a-zA-Z0-9]*)?$';
export const OBJECT_KEY = '^[-._a-zA-Z0-9]+$';
export const SHA256 = '^[0-9a-f]{64}$';
export const PLAN_HASH = '^[0-9a-f]{10}$';
export const OPTIONAL_PLAN_HASH = '^([0-9a-f]{10})?$';
export const QUANTITY = '^\\+?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$';
export const DECIMAL = '^(0|[1-9][0-9]{0,8})(\\.[0-9]{1,18})?$';
export const URL_PATH = "^/[-A-Za-z0-9._~!$&'()*+,;=:@%/]*$";
export const OPTIONAL_URL_PATH = "^(/[-A-Za-z0-9._~!$&'()*+,;=:@%/]*)?$";
export const HOST_NAME = '^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';
export const HTTPS_URL = '^https?://[^\\s]+$';
export const TIME_ZONE = '^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$';
export const IMAGE = '^[a-zA-Z0-9][-a-zA-Z0-9._:/]*(@sha256:[0-9a-f]{64})?$';
export const S3_EVENT = '^s3:[A-Za-z]+:(\\*|[A-Za-z]+)$';
export const NATS_SUBJECT = '^[^\\s.>]+(\\.[^\\s.>]+)*(\\.>)?$';
export const LABEL_VALUE = '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$';
export const ABSOLUTE_PATH = '^/[^:]*$';
export const CONDITION_REASON = '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$';
export const DATE_TIME =
  '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$';

/** What each pattern allows, in words: the second half of "must …". */
export const PATTERNS: Readonly<Record<string, string>> = {
  [DNS_LABEL]:
    "be a DNS label: 'a'-'z', '0'-'9' and '-', starting and ending with a letter or digit, no dots",
  [DNS_SUBDOMAIN]: "be a DNS name: labels of 'a'-'z', '0'-'9' and '-', joined by dots",
  [OPTIONAL_DNS_LABEL]: "be empty or a DNS label: 'a'-'z', '0'-'9' and '-', no dots",
  [OPTIONAL_DNS_SUBDOMAIN]: "be empty or a DNS name: 'a'-'z', '0'-'9', '-' and '.'",
  [ENV_NAME]:
    "be the name of an environment variable: letters, digits, '_', '-' or '.', not starting with a digit",
  [ENV_PREFIX]: "be empty or start a name of an environment variable: letters, digits, '_', '-' or '.'",
  [OBJECT_KEY]: "be a key of a ConfigMap or Secret: letters, digits, '-', '_' or '.'",
  [SHA256]: 'be a sha256 digest: 64 lower-case hexadecimal digits',
  [PLAN_HASH]: 'be the hash of a plan: 10 lower-case hexadecimal digits',
  [OPTIONAL_PLAN_HASH]: 'be empty or the hash of a plan: 10 lower-case hexadecimal digits',
  [QUANTITY]: "be a quantity that is not negative, like '500m', '1' or '256Mi'",
  [DECIMAL]: "be a decimal number that is not negative, as a string like '0.0000166667'",
  [URL_PATH]: "be a path that starts with '/', without query or fragment",
  [OPTIONAL_URL_PATH]: "be empty or a path that starts with '/', without query or fragment",
  [HOST_NAME]: "be a host name like 'traffic.example' or '*.example', in lower case, without a port",
  [HTTPS_URL]: "be a URL that starts with 'https://' or 'http://'",
  [TIME_ZONE]: "be the name of a time zone like 'Europe/Berlin' or 'Etc/UTC'",
  [IMAGE]: "be an image reference like 'registry.example/name@sha256:…'",
  [S3_EVENT]: "be an S3 event like 's3:ObjectCreated:*'",
  [NATS_SUBJECT]: "be a NATS subject: tokens joined by dots, '>' only as the last",
  [LABEL_VALUE]:
    "be a label value: letters, digits, '-', '_' or '.', starting and ending with a letter or digit",
  [ABSOLUTE_PATH]: "be a path that starts with '/' and has no ':'",
  [CONDITION_REASON]: 'be a word in CamelCase',
  [DATE_TIME]: "be a time like '2026-01-31T12:00:00Z'",
};

/** Characters as the API server counts them: code points, not UTF-16 units. */
const codePoints = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

/** Free text of at most `max` code points. */
export const text = (max: number) =>
  z
    .string()
    .refine((value) => codePoints(value) <= max, { error: 'too long', params: { maxLength: max } })
    .meta({ maxLength: max });

/** Text that matches an RE2-safe pattern; ASCII, so that UTF-16 units and code points agree. */
export const matching = (pattern: string, max: number) => z.string().max(max).regex(new RegExp(pattern));

export const int = (min: number, max: number) => z.int().min(min).max(max);

/** A name inside a graph. */
export const nameInGraph = () => matching(DNS_LABEL, NAME_MAX);
/** The name of an object of another kind (ConfigMap, Secret, Service …). */
export const objectName = () => matching(DNS_SUBDOMAIN, 253);
export const objectKey = () => matching(OBJECT_KEY, 253);

/**
 * A Kubernetes quantity. Written as an integer or a string; a fraction must be a string, because the API
 * server knows no number that is either.
 */
export const quantity = () =>
  z
    .union([z.int().min(0), z.string().max(32).regex(new RegExp(QUANTITY))])
    .meta({ 'x-kubernetes-int-or-string': true });

/** A list in which the value of `keys` tells the items apart; server-side apply merges it item by item. */
export const listMap = <T extends z.ZodType>(item: T, keys: readonly string[], max: number) =>
  z
    .array(item)
    .max(max)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [...keys] });

/** A list without duplicates whose order means nothing. */
export const setOf = <T extends z.ZodType>(item: T, max: number) =>
  z.array(item).max(max).meta({ 'x-kubernetes-list-type': 'set' });

/** A list that has one owner and is replaced as a whole. */
export const atomicList = <T extends z.ZodType>(item: T, max: number) =>
  z.array(item).max(max).meta({ 'x-kubernetes-list-type': 'atomic' });

/** A map of strings with at most `max` entries. */
export const stringMap = <T extends z.ZodType<string>>(value: T, max: number) =>
  z
    .record(z.string(), value)
    .refine((map) => Object.keys(map).length <= max, { error: 'too many', params: { maxProperties: max } })
    .meta({ maxProperties: max });

/** `{name}` of an object in the same namespace. */
export const localRef = (description: string) =>
  z.object({ name: objectName().describe(description) }).meta({ 'x-kubernetes-map-type': 'atomic' });

/**
 * The schema with its whole default written out. For objects with rules of their own: the API server tries the
 * rules on the default as it stands, before the defaults of the fields inside are filled in, and refuses `{}`.
 */
export const spelledOut = <T extends z.ZodObject>(schema: T) =>
  schema.prefault(schema.parse({}) as z.input<T>);

/** What every object carries. The API server owns these fields, the CRD says nothing about them. */
export const metadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  generateName: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.number().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.number().optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(z.looseObject({})).optional(),
  managedFields: z.array(z.looseObject({})).optional(),
  selfLink: z.string().optional(),
});

export const condition = z.object({
  type: z.string().min(1).max(64).describe('What the condition is about, for example Ready.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
  observedGeneration: int(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The metadata.generation that this condition was judged on.'),
  lastTransitionTime: matching(DATE_TIME, 64)
    .meta({ format: 'date-time' })
    .describe('When `status` last changed.'),
  reason: matching(CONDITION_REASON, 128).describe('Why, as one word in CamelCase; stable, for programs.'),
  message: text(4096).describe('Why, as a sentence for people.'),
});

export const conditions = listMap(condition, ['type'], 16)
  .optional()
  .describe('What is true of this object at the moment, one entry per type.');

export const observedGeneration = int(0, Number.MAX_SAFE_INTEGER)
  .optional()
  .describe('The metadata.generation that this status speaks of.');

/** Machine architectures by the names that Kubernetes uses (GOARCH). */
export const architecture = z.enum(['amd64', 'arm64', 'arm', 'ppc64le', 'riscv64', 's390x']);
