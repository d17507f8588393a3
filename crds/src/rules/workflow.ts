/** What a Workflow must be beyond the shape of its fields. Owns the table; `rule.ts` has the meaning of a row. */
import { CRON_SHAPE } from '../cron.ts';
import type {
  CronTrigger,
  Deferral,
  Edge,
  HttpAuth,
  HttpTrigger,
  Retry,
  Trigger,
  TriggerType,
  WorkflowFunction,
  WorkflowSpec,
} from '../types.ts';
import { must, rulesAt, type Rule } from './rule.ts';

const KIND = ['Workflow'] as const;

const UNKNOWN_FUNCTION =
  'must be the name of a function in `spec.functions`: add it to the list or correct the name';

const known = (functions: readonly WorkflowFunction[], name: string): boolean =>
  functions.some((one) => one.name === name);

/** Whether two HTTP triggers would take the same request. An empty list of hosts means every host. */
function clash(a: HttpTrigger, b: HttpTrigger): boolean {
  const hosts =
    a.hosts.length === 0 || b.hosts.length === 0
      ? a.hosts.length === b.hosts.length
      : a.hosts.some((host) => b.hosts.includes(host));
  return a.path === b.path && hosts && a.methods.some((method) => b.methods.includes(method));
}

/** Each pair is looked at once, from the trigger whose name comes first: it halves the cost. */
const CLASH =
  't.name < u.name && has(t.http) && has(u.http) && t.http.path == u.http.path && ' +
  't.http.methods.exists(m, m in u.http.methods) && (size(t.http.hosts) == 0 || size(u.http.hosts) == 0 ? ' +
  'size(t.http.hosts) == size(u.http.hosts) : sets.intersects(t.http.hosts, u.http.hosts))';

const clashing = ({ triggers }: WorkflowSpec) =>
  triggers.flatMap((t, i) => {
    const other = triggers.some((u) => t.name < u.name && t.http && u.http && clash(t.http, u.http));
    return must(!other, t.name, 'triggers', i, 'http', 'path');
  });

/**
 * The two rules over edges use `sets.contains` (Kubernetes 1.30): with 200 functions and 500 edges `all` over
 * `exists` would cost more than the million units that the server grants one evaluation.
 */
const specRules = rulesAt<WorkflowSpec>(KIND, 'spec', [
  {
    name: 'EdgeFromUnknownFunction',
    rule: 'sets.contains(self.functions.map(f, f.name), self.edges.map(e, e.from))',
    given: 'self.edges.filter(e, !self.functions.exists(f, f.name == e.from))[0].from',
    message: `${UNKNOWN_FUNCTION} in \`from\` of the edge`,
    find: ({ edges, functions }) =>
      edges.flatMap(({ from }, i) => must(known(functions, from), from, 'edges', i, 'from')),
  },
  {
    name: 'EdgeToUnknownFunction',
    rule: 'sets.contains(self.functions.map(f, f.name), self.edges.map(e, e.to))',
    given: 'self.edges.filter(e, !self.functions.exists(f, f.name == e.to))[0].to',
    message: `${UNKNOWN_FUNCTION} in \`to\` of the edge`,
    find: ({ edges, functions }) =>
      edges.flatMap(({ to }, i) => must(known(functions, to), to, 'edges', i, 'to')),
  },
  {
    name: 'TriggerToUnknownFunction',
    rule: 'self.triggers.all(t, self.functions.exists(f, f.name == t.to))',
    given: 'self.triggers.filter(t, !self.functions.exists(f, f.name == t.to))[0].to',
    message: `${UNKNOWN_FUNCTION} in \`to\` of the trigger`,
    find: ({ triggers, functions }) =>
      triggers.flatMap(({ to }, i) => must(known(functions, to), to, 'triggers', i, 'to')),
  },
  {
    name: 'HttpTriggersClash',
    rule: `self.triggers.all(t, !self.triggers.exists(u, ${CLASH}))`,
    given: `self.triggers.filter(t, self.triggers.exists(u, ${CLASH}))[0].name`,
    message:
      'must be the only trigger with its host, path and method: another one of this workflow would take the ' +
      'same requests; change one of them',
    find: clashing,
  },
]);

const functionRules = rulesAt<WorkflowFunction>(KIND, 'spec.functions[]', [
  {
    name: 'FunctionAndService',
    rule: '!has(self.functionRef) || !has(self.service)',
    given: 'self.name',
    message: 'must have `functionRef` or `service`, not both: a vertex is a Function or an existing Service',
    find: ({ name, functionRef, service }) =>
      must(functionRef === undefined || service === undefined, name, 'service'),
  },
]);

const asyncOnly = (field: 'deferral' | 'durability' | 'deadLetter', why: string) => ({
  name: `${field[0]?.toUpperCase() ?? ''}${field.slice(1)}OnSyncEdge`,
  rule: `self.call == 'Async' || !has(self.${field})`,
  given: "self.from + ' → ' + self.to",
  message: `must not have \`${field}\` when \`call\` is 'Sync': ${why}; remove it or set \`call: Async\``,
  find: (edge: Edge) =>
    must(edge.call === 'Async' || edge[field] === undefined, `${edge.from} → ${edge.to}`, field),
});

const edgeRules = rulesAt<Edge>(KIND, 'spec.edges[]', [
  {
    name: 'SyncSelfEdge',
    rule: "self.call == 'Async' || self.from != self.to",
    given: "self.from + ' → ' + self.to",
    message:
      "must not be an edge from a function to itself when `call` is 'Sync': it would wait for itself; use 'Async'",
    find: ({ call, from, to }) => must(call === 'Async' || from !== to, `${from} → ${to}`, 'to'),
  },
  asyncOnly('deferral', 'the caller waits, so the call cannot'),
  asyncOnly('durability', 'a call that somebody waits for is not kept'),
  asyncOnly('deadLetter', 'the caller gets the error itself'),
]);

const retryRules = rulesAt<Retry>(KIND, 'spec.edges[].retry', [
  {
    name: 'BackoffAboveMax',
    rule: 'self.backoffSeconds <= self.maxBackoffSeconds',
    given: 'string(self.backoffSeconds)',
    message: 'must be a `backoffSeconds` of at most `maxBackoffSeconds`: lower the one or raise the other',
    find: ({ backoffSeconds, maxBackoffSeconds }) =>
      must(backoffSeconds <= maxBackoffSeconds, backoffSeconds, 'backoffSeconds'),
  },
]);

const deferralRules = rulesAt<Deferral>(KIND, 'spec.edges[].deferral', [
  {
    name: 'StartDeadlineZero',
    rule: 'self.startDeadlineSeconds > 0',
    given: 'string(self.startDeadlineSeconds)',
    message:
      'must be a `startDeadlineSeconds` of at least 1; for a call that must not wait leave out `deferral`',
    find: ({ startDeadlineSeconds }) =>
      must(startDeadlineSeconds > 0, startDeadlineSeconds, 'startDeadlineSeconds'),
  },
]);

/** The section of each type, in the order of the API. */
const SECTIONS = {
  Http: 'http',
  Cron: 'cron',
  Nats: 'nats',
  Coap: 'coap',
  Grpc: 'grpc',
  S3: 's3',
  Dapr: 'dapr',
  CloudEvents: 'cloudEvents',
} as const satisfies Record<TriggerType, keyof Trigger>;

/** `grpc` has nothing to say and may be left out; all other types need their section. */
const sectionRule = Object.entries(SECTIONS)
  .map(([type, section]) =>
    type === 'Grpc'
      ? `(!has(self.${section}) || self.type == '${type}')`
      : `has(self.${section}) == (self.type == '${type}')`,
  )
  .join(' && ');

function sectionFits(trigger: Trigger): boolean {
  return Object.entries(SECTIONS).every(([type, section]) => {
    const there = trigger[section] !== undefined;
    const its = trigger.type === type;
    return type === 'Grpc' ? !there || its : there === its;
  });
}

const triggerRules = rulesAt<Trigger>(KIND, 'spec.triggers[]', [
  {
    name: 'TriggerSectionMismatch',
    rule: sectionRule,
    given: 'self.type',
    message:
      'must come with the section of its `type` and no other: `http` for Http, `cron` for Cron, `nats` for Nats, ' +
      '`coap` for Coap, `s3` for S3, `dapr` for Dapr, `cloudEvents` for CloudEvents, `grpc` or nothing for Grpc',
    find: (trigger) => must(sectionFits(trigger), trigger.type, 'type'),
  },
]);

const authRules = rulesAt<HttpAuth>(KIND, 'spec.triggers[].http.auth', [
  {
    name: 'AuthSectionMismatch',
    rule: "has(self.jwt) == (self.type == 'Jwt') && has(self.key) == (self.type == 'Key')",
    given: 'self.type',
    message:
      'must come with the section of its `type` and no other: `jwt` for Jwt, `key` for Key, nothing for None',
    find: ({ type, jwt, key }) =>
      must(
        (jwt !== undefined) === (type === 'Jwt') && (key !== undefined) === (type === 'Key'),
        type,
        'type',
      ),
  },
]);

const cronRules = rulesAt<CronTrigger>(KIND, 'spec.triggers[].cron', [
  {
    name: 'ScheduleNotCron',
    rule: `self.schedule.matches('${CRON_SHAPE}')`,
    given: 'self.schedule',
    message:
      "must be a cron schedule: minute, hour, day of month, month and day of week like '0 3 * * *', or '@hourly', " +
      "'@daily', '@weekly', '@monthly', '@yearly'",
    find: ({ schedule }) => must(new RegExp(CRON_SHAPE).test(schedule), schedule, 'schedule'),
  },
]);

/** Subjects that Sinter itself uses, and wildcards that would cover them. */
const RESERVED_SUBJECT = '^(fn|work|later|dead|live|seen|_INBOX|[*]|>|[$][^.]*)([.].*)?$';

const natsRules = rulesAt<NonNullable<Trigger['nats']>>(KIND, 'spec.triggers[].nats', [
  {
    name: 'SubjectReserved',
    rule: `!self.subject.matches('${RESERVED_SUBJECT}')`,
    given: 'self.subject',
    message:
      "must not start with a wildcard, with '$', or with 'fn', 'work', 'later', 'dead', 'live', 'seen' or '_INBOX', " +
      'which Sinter uses: choose a subject of your own',
    find: ({ subject }) => must(!new RegExp(RESERVED_SUBJECT).test(subject), subject, 'subject'),
  },
]);

const daprRules = rulesAt<NonNullable<Trigger['dapr']>>(KIND, 'spec.triggers[].dapr', [
  {
    name: 'DaprSourcesNotOne',
    rule: 'has(self.topic) != has(self.binding)',
    given: "has(self.topic) ? 'both' : 'neither'",
    message: 'must be exactly one of `topic` (a pub/sub component) and `binding` (a binding component)',
    find: ({ topic, binding }) =>
      must((topic === undefined) !== (binding === undefined), topic !== undefined ? 'both' : 'neither'),
  },
]);

export const workflowRules: readonly Rule[] = [
  ...specRules,
  ...functionRules,
  ...edgeRules,
  ...retryRules,
  ...deferralRules,
  ...triggerRules,
  ...authRules,
  ...cronRules,
  ...natsRules,
  ...daprRules,
];
