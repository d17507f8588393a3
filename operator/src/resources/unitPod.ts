/**
 * The pod of a unit.
 *
 * Owns: everything in a pod that does not follow from the user's words alone: the container, sizes, probes, security,
 * the end. Neighbours: `scheduling.ts` says where it may run, `hostEnvironment.ts` what its host is told,
 * `unitEnvironment.ts` what its functions see.
 * Invariants:
 *  1. Nothing of ours is mounted: a volume of any kind doubles the time to the first answer (D8).
 *  2. The pod is allowed by Pod Security "restricted", unless the user's own volumes forbid it.
 *  3. Who asks for a call to end gracefully gets it: the grace is longer than the longest call.
 */
import { bytesOf, cpuMillisOf, cpuText, memoryText } from '../model/quantity.ts';
import type { Lookup } from '../model/environment.ts';
import type { ConfigMap } from '../model/nouns.ts';
import { HOST_RESERVED_BYTES } from '../planner/priors.ts';
import type { SnapshotFunction } from '../snapshot/snapshot.ts';
import { hostEnvironment } from './hostEnvironment.ts';
import type { HostOptions } from './hostEnvironment.ts';
import type {
  Container,
  PodSpec,
  PodTemplateSpec,
  Probe,
  ResourceList,
  Toleration,
  VolumeMount,
} from './kubernetes.ts';
import { UNIT_LABEL } from './labels.ts';
import { nodeAffinity, tolerationsOf } from './scheduling.ts';
import { HEALTH_PORT } from './podSettings.ts';
import { podEnvironment } from './unitEnvironment.ts';

export interface PodOptions extends HostOptions {
  /** Labels that Sinter sets. */
  readonly labels: Readonly<Record<string, string>>;
  /** Annotations that Sinter sets. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly configMaps: Lookup<ConfigMap>;
}

/** After the longest call: to be told, to publish the last results, to close. */
const GRACE_SECONDS = 15;
/** The group that may write to the user's volumes; the image runs as this user. */
const GROUP = 65532;

export function podTemplate(options: PodOptions): PodTemplateSpec {
  const { labels, annotations: own } = templateOf(options).metadata;
  const annotations = { ...own, ...options.annotations };
  return {
    metadata: {
      labels: { ...labels, ...options.labels },
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
    spec: podSpec(options),
  };
}

/** Functions with different templates share no unit (`PodTemplatesDiffer`): the first one's is everybody's. */
function templateOf(options: PodOptions): SnapshotFunction['spec']['template'] {
  const [first] = membersOf(options);
  if (!first) throw new Error(`unit ${options.name} has no function`);
  return first.spec.template;
}

const membersOf = ({ unit, snapshot }: PodOptions): readonly SnapshotFunction[] =>
  unit.functions.flatMap((name) => snapshot.functions.find((fn) => fn.name === name) ?? []);

function podSpec(options: PodOptions): PodSpec {
  const { unit, architectures, name } = options;
  const template = templateOf(options).spec;
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...chosen(template),
    affinity: { nodeAffinity: nodeAffinity(unit.placement.tiers, architectures) },
    tolerations: [...tolerationsOf(unit.placement.tiers), ...template.tolerations.map(toleration)],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { [UNIT_LABEL]: name } },
        matchLabelKeys: ['pod-template-hash'],
      },
    ],
    terminationGracePeriodSeconds:
      Math.max(...membersOf(options).map((fn) => fn.spec.timeoutSeconds)) + GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
      ...(template.volumes.length > 0 ? { fsGroup: GROUP, fsGroupChangePolicy: 'OnRootMismatch' } : {}),
    },
    containers: [container(options)],
    ...(template.volumes.length > 0 ? { volumes: template.volumes } : {}),
  };
}

/** What the user's template says, and nothing where it is silent: the API's own defaults hold then. */
function chosen({
  serviceAccountName,
  imagePullSecrets,
  nodeSelector,
  priorityClassName,
}: SnapshotFunction['spec']['template']['spec']): Partial<PodSpec> {
  return {
    ...(serviceAccountName === '' ? {} : { serviceAccountName }),
    ...(imagePullSecrets.length === 0 ? {} : { imagePullSecrets }),
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
    ...(priorityClassName === '' ? {} : { priorityClassName }),
  };
}

function toleration({
  key,
  operator,
  value,
  effect,
  tolerationSeconds,
}: SnapshotFunction['spec']['template']['spec']['tolerations'][number]): Toleration {
  return {
    operator,
    ...(key === '' ? {} : { key }),
    ...(value === '' ? {} : { value }),
    ...(effect === '' ? {} : { effect }),
    ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
  };
}

function container(options: PodOptions): Container {
  const { settings } = options;
  const functions = podEnvironment(membersOf(options), options.configMaps);
  const mounts = mountsOf(options);
  return {
    name: 'host',
    image: settings.image,
    imagePullPolicy: settings.pullPolicy,
    command: ['/usr/local/bin/node', '--disable-warning=ExperimentalWarning', '/app/host/main.js'],
    env: [...hostEnvironment(options), ...functions.env],
    ...(functions.envFrom.length > 0 ? { envFrom: functions.envFrom } : {}),
    ports: [{ name: 'health', containerPort: HEALTH_PORT, protocol: 'TCP' }],
    startupProbe: STARTUP,
    livenessProbe: LIVENESS,
    readinessProbe: READINESS,
    resources: resourcesOf(options),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    ...(mounts.length > 0 ? { volumeMounts: mounts } : {}),
  };
}

const probe = (path: string, terms: Omit<Probe, 'httpGet'>): Probe => ({
  httpGet: { path, port: 'health' },
  ...terms,
});

/** Until it serves it is asked each second, so that pods of an upgrade follow each other fast. */
const STARTUP = probe('/readyz', {
  initialDelaySeconds: 1,
  periodSeconds: 1,
  timeoutSeconds: 5,
  failureThreshold: 120,
});

/** Only a process that hangs for a minute is ended: one under load is slow, and its end would lose calls. */
const LIVENESS = probe('/healthz', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 });

/** No call waits for it (instances announce themselves over the bus, D8): it is for people, and paces upgrades. */
const READINESS = probe('/readyz', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 });

function resourcesOf(options: PodOptions): { requests: ResourceList; limits: ResourceList } {
  const members = membersOf(options);
  const sum = (of: (fn: SnapshotFunction) => number): number => members.reduce((all, fn) => all + of(fn), 0);
  const { cpuMillis, memoryBytes } = options.unit.resources;
  const requested = sum((fn) => cpuMillisOf(fn.spec.resources.requests.cpu));
  const memoryRequested = sum((fn) => bytesOf(fn.spec.resources.requests.memory));
  return {
    requests: {
      cpu: cpuText(Math.min(requested, cpuMillis)),
      memory: memoryText(Math.min(memoryRequested, memoryBytes) + HOST_RESERVED_BYTES),
    },
    limits: { cpu: cpuText(cpuMillis), memory: memoryText(memoryBytes + HOST_RESERVED_BYTES) },
  };
}

/** Functions with different mounts share no unit (`VolumeMountsDiffer`). */
const mountsOf = (options: PodOptions): readonly VolumeMount[] =>
  (membersOf(options)[0]?.spec.volumeMounts ?? []).map(({ name, mountPath, subPath, readOnly }) => ({
    name,
    mountPath,
    ...(subPath === '' ? {} : { subPath }),
    ...(readOnly ? { readOnly } : {}),
  }));
