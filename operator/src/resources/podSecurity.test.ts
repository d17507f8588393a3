/**
 * Pods of units under Pod Security "restricted" (Kubernetes' Pod Security Standards, v1.34): each control of its two tables,
 * baseline and restricted, as a rule over a pod.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from './kubernetes.ts';
import { planned } from './testUnits.ts';

type Loose = Readonly<Record<string, unknown>>;

const isLoose = (value: unknown): value is Loose => typeof value === 'object' && value !== null;
const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (isLoose(inner) ? inner[key] : undefined), value);
const listAt = (value: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? (found as readonly unknown[]) : [];
};
const containersOf = (pod: unknown): readonly unknown[] => [
  ...listAt(pod, 'containers'),
  ...listAt(pod, 'initContainers'),
  ...listAt(pod, 'ephemeralContainers'),
];
const each = (pod: unknown, holds: (container: unknown) => boolean): boolean =>
  containersOf(pod).every(holds);
const absentOr = (value: unknown, ...allowed: readonly unknown[]): boolean =>
  value === undefined || allowed.includes(value);

const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const PROFILES = ['RuntimeDefault', 'Localhost'];
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];

const CONTROLS: Readonly<Record<string, (pod: unknown) => boolean>> = {
  HostProcess: (pod) => at(pod, 'securityContext', 'windowsOptions') === undefined,
  'Host Namespaces': (pod) =>
    ['hostNetwork', 'hostPID', 'hostIPC'].every((key) => absentOr(at(pod, key), false)),
  'Privileged Containers': (pod) => each(pod, (c) => absentOr(at(c, 'securityContext', 'privileged'), false)),
  Capabilities: (pod) =>
    each(
      pod,
      (c) =>
        listAt(c, 'securityContext', 'capabilities', 'drop').includes('ALL') &&
        listAt(c, 'securityContext', 'capabilities', 'add').every((cap) => cap === 'NET_BIND_SERVICE'),
    ),
  'HostPath Volumes': (pod) => listAt(pod, 'volumes').every((v) => at(v, 'hostPath') === undefined),
  'Host Ports': (pod) => each(pod, (c) => listAt(c, 'ports').every((p) => absentOr(at(p, 'hostPort'), 0))),
  'Host Probes': (pod) =>
    each(pod, (c) =>
      PROBES.every((key) => ['httpGet', 'tcpSocket'].every((how) => absentOr(at(c, key, how, 'host'), ''))),
    ),
  AppArmor: (pod) => at(pod, 'securityContext', 'appArmorProfile') === undefined,
  SELinux: (pod) => at(pod, 'securityContext', 'seLinuxOptions') === undefined,
  '/proc Mount Type': (pod) => each(pod, (c) => absentOr(at(c, 'securityContext', 'procMount'), 'Default')),
  Sysctls: (pod) => listAt(pod, 'securityContext', 'sysctls').length === 0,
  'Volume Types': (pod) =>
    listAt(pod, 'volumes').every((v) => VOLUMES.some((type) => at(v, type) !== undefined)),
  'Privilege Escalation': (pod) =>
    each(pod, (c) => at(c, 'securityContext', 'allowPrivilegeEscalation') === false),
  'Running as Non-root': (pod) =>
    at(pod, 'securityContext', 'runAsNonRoot') === true ||
    each(pod, (c) => at(c, 'securityContext', 'runAsNonRoot') === true),
  'Running as Non-root user': (pod) =>
    at(pod, 'securityContext', 'runAsUser') !== 0 &&
    each(pod, (c) => at(c, 'securityContext', 'runAsUser') !== 0),
  Seccomp: (pod) => PROFILES.includes(String(at(pod, 'securityContext', 'seccompProfile', 'type'))),
};

const volumes = [
  { name: 'a', configMap: { name: 'a' } },
  { name: 'b', persistentVolumeClaim: { claimName: 'b' } },
];

function pods(): readonly PodSpec[] {
  const mounted = { template: { spec: { volumes } }, volumeMounts: [{ name: 'b', mountPath: '/b' }] };
  const { plan, objectsOf } = planned({
    functions: { plain: {}, mounted, edge: { placement: { tiers: ['Edge'] }, scaling: { minInstances: 2 } } },
  });
  return plan.units.flatMap((unit) => objectsOf(unit).deployments.map((d) => d.spec.template.spec));
}

const violations = (pod: unknown): readonly string[] =>
  Object.entries(CONTROLS)
    .filter(([, holds]) => !holds(pod))
    .map(([control]) => control);

test('every pod of a unit is allowed', () => {
  assert.equal(pods().length, 3);
  for (const pod of pods()) assert.deepEqual(violations(pod), []);
});

test('and keeps to more: a file system that is only read, no token, no addresses of services', () => {
  for (const pod of pods()) {
    assert.equal(pod.automountServiceAccountToken, false);
    assert.equal(pod.enableServiceLinks, false);
    for (const container of pod.containers)
      assert.equal(container.securityContext.readOnlyRootFilesystem, true);
  }
});

test('a pod without any of it breaks the rules that ask for something', () => {
  const bare = {
    containers: [{ name: 'x' }],
    volumes: [{ name: 'h', hostPath: { path: '/' } }],
    hostNetwork: true,
  };
  assert.deepEqual(violations(bare), [
    'Host Namespaces',
    'Capabilities',
    'HostPath Volumes',
    'Volume Types',
    'Privilege Escalation',
    'Running as Non-root',
    'Seccomp',
  ]);
});
