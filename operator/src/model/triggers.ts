/**
 * Can the ways in be opened?
 *
 * Owns: paths that two workflows want, times that cannot be parsed, and issuers that no gateway asks. Two triggers of one workflow on one path are
 * the schema's affair.
 */
import { cronProblem, isTimeZone } from './cron.ts';
import { error } from './finding.ts';
import type { Finding } from './finding.ts';
import { namespaceOf } from './nouns.ts';
import type { WorkflowObject } from './nouns.ts';
import { placeIn } from './directory.ts';

export const timeFindings = (workflow: WorkflowObject): readonly Finding[] =>
  workflow.spec.triggers.flatMap(({ cron }, i) => {
    if (!cron) return [];
    const field = `spec.triggers[${i}].cron`;
    const problem = cronProblem(cron.schedule);
    const zone = `is no time zone that is known here; write a name like 'Europe/Berlin' or 'Etc/UTC'`;
    return [
      ...(problem
        ? [error('ScheduleInvalid', placeIn(workflow, `${field}.schedule`, cron.schedule), problem)]
        : []),
      ...(isTimeZone(cron.timeZone)
        ? []
        : [error('TimeZoneUnknown', placeIn(workflow, `${field}.timeZone`, cron.timeZone), zone)]),
    ];
  });

/** Issuers of tokens whose keys no gateway would fetch: not by OpenID discovery, which appends a path, or in the clear. */
export const issuerFindings = (workflow: WorkflowObject): readonly Finding[] =>
  workflow.spec.triggers.flatMap(({ http }, i) => {
    const issuer = http?.auth.jwt?.issuer;
    if (issuer === undefined || isIssuer(URL.parse(issuer), issuer)) return [];
    const place = placeIn(workflow, `spec.triggers[${i}].http.auth.jwt.issuer`, issuer);
    return [error('IssuerNotValid', place, ISSUER)];
  });

const ISSUER =
  'is no issuer of OpenID discovery; write the `iss` of its tokens, an https URL without query, fragment, user or ' +
  "password, like 'https://id.example.org' (http only for one on your own machine, as in http://localhost:8080)";

function isIssuer(url: URL | null, written: string): boolean {
  if (!url || /[?#]/.test(written) || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
}

const LOOPBACK = /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * Triggers at a host and path that an older workflow has. The older is the one created first, then the one whose
 * namespace and name come first; without a time of creation a workflow counts as new.
 */
export function pathConflicts(workflows: readonly WorkflowObject[]): readonly Finding[] {
  const owners = new Map<string, WorkflowObject>();
  return [...workflows].sort(olderFirst).flatMap((workflow) => {
    const findings = workflow.spec.triggers.flatMap((trigger, i) => {
      const taken = addressesOf(trigger).find((address) => owners.has(address));
      const owner = taken === undefined ? undefined : owners.get(taken);
      return owner ? [conflict(workflow, i, owner)] : [];
    });
    for (const address of workflow.spec.triggers.flatMap(addressesOf)) {
      if (!owners.has(address)) owners.set(address, workflow);
    }
    return findings;
  });
}

/** `<host> <path>`; an empty host stands for every host, which is one address, not all of them. */
const addressesOf = ({ http }: WorkflowObject['spec']['triggers'][number]): readonly string[] =>
  http ? (http.hosts.length > 0 ? http.hosts : ['']).map((host) => `${host} ${http.path}`) : [];

function conflict(workflow: WorkflowObject, i: number, owner: WorkflowObject): Finding {
  const http = workflow.spec.triggers[i]?.http;
  const place = placeIn(workflow, `spec.triggers[${i}].http.path`, http?.path);
  const host = http && http.hosts.length > 0 ? `hosts ${http.hosts.join(', ')}` : 'every host';
  const says = `at ${host} belongs to the older Workflow ${namespaceOf(owner)}/${owner.metadata.name}; choose another path or host`;
  return error('PathConflict', place, says);
}

function olderFirst(a: WorkflowObject, b: WorkflowObject): number {
  const key = (w: WorkflowObject): readonly string[] => [
    w.metadata.creationTimestamp ?? '~',
    namespaceOf(w),
    w.metadata.name,
  ];
  const [x, y] = [key(a), key(b)];
  const at = x.findIndex((part, i) => part !== y[i]);
  return at < 0 ? 0 : (x[at] ?? '') < (y[at] ?? '') ? -1 : 1;
}
