/**
 * The operator's settings: one schema, one parse at start, one frozen value that is handed down.
 *
 * Owns: names, defaults, units and meaning of the environment variables. `main.ts` alone reads the environment; the chart
 * sets the variables from its values.
 * Invariant: an error names each wrong variable, what was given and what is allowed, all of them at once.
 */
import { z } from 'zod';

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const MODES = ['Bundled', 'SigningKey', 'SharedCredential'] as const;

const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false'])
    .default(fallback ? 'true' : 'false')
    .transform((value) => value === 'true');

const whole = (min: number, max: number, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,12}$/, 'must be a whole number')
    .default(String(fallback))
    .transform(Number)
    .pipe(z.number().min(min).max(max));

const list = (item: z.ZodType<string, string>) =>
  z
    .string()
    .default('')
    .transform((value) => value.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()])))
    .pipe(z.array(item));

const name = z.string().regex(label, "must be a DNS label: 'a'-'z', '0'-'9' and '-'");
const url = z
  .string()
  .regex(/^(tls|nats):\/\/[^\s/]+$/, 'must be addresses like tls://host:4222, separated by commas');

/** What each variable says. Absent and empty are the same. */
const VARIABLES = {
  SINTER_NAMESPACE: name.describe(
    'The namespace of the release: keys, certificates and the gateway are there.',
  ),
  SINTER_POD_NAME: z.string().min(1).describe('The name of this pod, by which leaders are told apart.'),
  SINTER_SERVICE_ACCOUNT: z.string().default('').describe('The service account of this pod, for messages.'),
  SINTER_FULLNAME: name.default('sinter').describe('What the names of the release begin with.'),
  SINTER_IMAGE: z.string().min(1).describe('The image of units.'),
  SINTER_IMAGE_PULL_POLICY: z
    .enum(['Always', 'IfNotPresent', 'Never'])
    .default('IfNotPresent')
    .describe('When the image of units is pulled.'),
  SINTER_NATS_MODE: z
    .enum(MODES)
    .default('Bundled')
    .describe('Whose NATS it is, and who signs credentials on it.'),
  SINTER_NATS_URLS: list(url)
    .refine((urls) => urls.length > 0, 'must name at least one server')
    .describe('Addresses of the hub, separated by commas.'),
  SINTER_NATS_SECRET: z
    .string()
    .default('')
    .describe("The Secret with the signing keys or the credential of the user's own NATS."),
  SINTER_NATS_LEAF: flag(false).describe('Whether there is a leaf server on every machine.'),
  SINTER_NATS_LEAF_PORT: whole(1, 65_535, 4222).describe('The port of leaf servers on their machines.'),
  SINTER_LEAF_SERVER_NAME: z
    .string()
    .default('')
    .describe("The name in leaf servers' certificates; empty: <fullname>-nats-leaf."),
  SINTER_NATS_REPLICAS: whole(1, 5, 1).describe('In how many copies the hub keeps streams.'),
  SINTER_TLS: z
    .enum(['Operator', 'CertManager', 'Off'])
    .default('Operator')
    .describe('Who makes the certificates of NATS servers.'),
  SINTER_CLUSTER_DOMAIN: z.string().min(1).default('cluster.local').describe("The cluster's DNS domain."),
  SINTER_GATEWAY_URL: z.string().default('').describe('Where the gateway answers, for status.address.'),
  SINTER_CREDENTIAL_LIFETIME_SECONDS: whole(60, 31_536_000, 2_592_000).describe(
    'How long a credential lives; it is renewed at a third of it.',
  ),
  SINTER_LEAF_CREDENTIAL_LIFETIME_SECONDS: whole(60, 315_360_000, 31_536_000).describe(
    'How long the credential of leaf servers lives; the link of a leaf breaks for a moment when the one it was made with ends.',
  ),
  SINTER_METRICS_PORT: whole(0, 65_535, 8080).describe('The port of /metrics, /healthz and /readyz.'),
  SINTER_PAGE_KEY: z
    .string()
    .regex(/^([\w-]{24,128})?$/, "must be 24 to 128 characters of 'a'-'z', 'A'-'Z', '0'-'9', '_' and '-'")
    .default('')
    .describe('What opens the live page, as the first part of its path; empty: there is no page.'),
  SINTER_PAGE_PORT: whole(0, 65_535, 8082).describe('The port of the live page.'),
  SINTER_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('The least level that is logged.'),
  SINTER_LEADER_ELECTION: flag(true).describe('Whether replicas agree on one that writes.'),
  SINTER_WATCH_NAMESPACES: list(name).describe('The namespaces that are looked after; empty: all.'),
  SINTER_INSECURE_REGISTRIES: list(z.string().min(1)).describe(
    'Registries that units speak to without TLS, host:port.',
  ),
  SINTER_DEFAULT_POLICY: z
    .string()
    .default('')
    .transform((text, context) => jsonOrIssue(text, context))
    .describe('Spec of the ClusterOptimizationPolicy `default` as JSON; empty: none is made.'),
  SINTER_TRIGGER_HOSTS: z
    .string()
    .default('')
    .transform((text, context) => jsonOrIssue(text, context))
    .pipe(z.record(z.string(), z.array(z.string())).optional())
    .describe(
      'Hosts at which triggers may answer, by namespace (`*`: every namespace), as JSON; empty: any.',
    ),
  SINTER_FAULT_POINT: z
    .string()
    .default('')
    .describe('For tests: the process kills itself before its n-th write of this name, `<name>:<n>`.'),
} as const;

type Variable = keyof typeof VARIABLES;
const SCHEMA = z.object(VARIABLES);

export type Config = Readonly<z.output<typeof SCHEMA>>;

/** A table of all variables, for the documentation. */
export const variables: readonly { readonly name: string; readonly says: string }[] = Object.entries(
  VARIABLES,
).map(([variable, schema]) => ({ name: variable, says: schema.description ?? '' }));

/** The settings, frozen; throws with a line for each variable that is wrong. */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const given: Readonly<Record<string, string>> = Object.fromEntries(
    Object.keys(VARIABLES).flatMap((variable) => {
      const value = environment[variable];
      return value === undefined || value === '' ? [] : [[variable, value] as const];
    }),
  );
  const parsed = SCHEMA.safeParse(given);
  if (parsed.success) return Object.freeze(parsed.data);
  const lines = parsed.error.issues.map((issue) => problemLine(issue, given));
  throw new Error(`the environment cannot be used:\n${[...new Set(lines)].join('\n')}`);
}

function problemLine(issue: z.core.$ZodIssue, given: Readonly<Record<string, string>>): string {
  const variable = String(issue.path[0]) as Variable;
  const value = given[variable];
  const what = value === undefined ? 'is missing' : `'${value.slice(0, 80)}' is not allowed`;
  const says = VARIABLES[variable].description ?? '';
  return `  ${variable} ${what}: ${allowed(issue)} (${says})`;
}

function allowed(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `must be one of ${issue.values.map((v) => `'${String(v)}'`).join(', ')}`;
    case 'too_small':
      return issue.origin === 'string' ? 'must not be empty' : `must be at least ${String(issue.minimum)}`;
    case 'too_big':
      return `must be at most ${String(issue.maximum)}`;
    case 'invalid_type':
      return 'must be given';
    default:
      return issue.message;
  }
}

function jsonOrIssue(
  text: string,
  context: { readonly addIssue: (message: string) => void },
): Readonly<Record<string, unknown>> | undefined {
  if (text === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // told below
  }
  context.addIssue('must be a JSON object');
  return undefined;
}
