/**
 * Which namespaces may answer at which hosts, where whoever runs the cluster says so.
 *
 * Owns: the matching, and the words. Without a list every namespace may answer anywhere, and of two the older Workflow does.
 */
import { error } from '../model/finding.ts';
import type { Finding } from '../model/finding.ts';
import { placeIn } from '../model/directory.ts';
import { namespaceOf } from '../model/nouns.ts';
import type { WorkflowObject } from '../model/nouns.ts';

/**
 * Hosts by namespace, `*` for every namespace. A host is a name, `*.example.org` for any name below it, or `*` for every host, which
 * a trigger without hosts asks for.
 */
export type AllowedHosts = Readonly<Record<string, readonly string[]>>;

/** Of each trigger the first host that its namespace may not have. `allowed` undefined: nothing is forbidden. */
export function hostFindings(
  workflow: WorkflowObject,
  allowed: AllowedHosts | undefined,
): readonly Finding[] {
  if (!allowed) return [];
  const namespace = namespaceOf(workflow);
  // A namespace may be called `constructor`.
  const patterns = [namespace, '*'].flatMap((name) =>
    Object.hasOwn(allowed, name) ? (allowed[name] ?? []) : [],
  );
  return workflow.spec.triggers.flatMap(({ http }, i) => {
    if (!http) return [];
    const wanted = http.hosts.length > 0 ? http.hosts : ['*'];
    const refused = wanted.find((host) => !patterns.some((pattern) => matches(pattern, host)));
    if (refused === undefined) return [];
    const place = placeIn(workflow, `spec.triggers[${i}].http.hosts`, http.hosts.join(', '));
    return [error('HostNotAllowed', place, says(refused, namespace, patterns))];
  });
}

const says = (host: string, namespace: string, patterns: readonly string[]): string => {
  const what = host === '*' ? 'asks for every host' : `asks for host ${host}`;
  const may = patterns.length === 0 ? 'none' : patterns.join(', ');
  return `${what}, and namespace ${namespace} may answer at ${may}; write one of these, or ask who runs Sinter (the chart's triggerHosts)`;
};

function matches(pattern: string, host: string): boolean {
  const [wanted, name] = [pattern.toLowerCase(), host.toLowerCase()];
  return wanted === '*' || wanted === name || (wanted.startsWith('*.') && name.endsWith(wanted.slice(1)));
}
