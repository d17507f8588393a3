/**
 * The few shapes of Kubernetes that Sinter writes: only the fields that it sets.
 *
 * Owns: types, no values. What is written by server-side apply owns exactly what stands in it, so a field that is not here
 * belongs to somebody else.
 */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: true;
  readonly blockOwnerDeletion: true;
}

type Texts = Readonly<Record<string, string>>;

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Texts;
  readonly annotations?: Texts;
  readonly ownerReferences: readonly OwnerReference[];
}

export interface LabelSelector {
  readonly matchLabels: Texts;
}

export interface Deployment {
  readonly apiVersion: 'apps/v1';
  readonly kind: 'Deployment';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly replicas: number;
    readonly minReadySeconds: number;
    readonly revisionHistoryLimit: number;
    readonly selector: LabelSelector;
    readonly strategy: {
      readonly type: 'RollingUpdate';
      readonly rollingUpdate: { readonly maxUnavailable: number; readonly maxSurge: number };
    };
    readonly template: PodTemplateSpec;
  };
}

export interface PodTemplateSpec {
  readonly metadata: { readonly labels: Texts; readonly annotations?: Texts };
  readonly spec: PodSpec;
}

export interface PodSpec {
  readonly automountServiceAccountToken: false;
  readonly enableServiceLinks: false;
  readonly serviceAccountName?: string;
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly nodeSelector?: Texts;
  readonly priorityClassName?: string;
  readonly affinity: { readonly nodeAffinity: NodeAffinity };
  readonly tolerations: readonly Toleration[];
  readonly topologySpreadConstraints: readonly TopologySpreadConstraint[];
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: PodSecurityContext;
  readonly containers: readonly Container[];
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
}

export interface NodeAffinity {
  readonly requiredDuringSchedulingIgnoredDuringExecution: {
    readonly nodeSelectorTerms: readonly NodeSelectorTerm[];
  };
}

/** All of its expressions hold; of several terms one is enough. */
export interface NodeSelectorTerm {
  readonly matchExpressions: readonly NodeSelectorRequirement[];
}

export interface NodeSelectorRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
}

export interface Toleration {
  readonly key?: string;
  readonly operator: 'Exists' | 'Equal';
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

export interface TopologySpreadConstraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly whenUnsatisfiable: 'ScheduleAnyway';
  readonly labelSelector: LabelSelector;
  readonly matchLabelKeys: readonly string[];
}

export interface PodSecurityContext {
  readonly runAsNonRoot: true;
  readonly seccompProfile: { readonly type: 'RuntimeDefault' };
  readonly fsGroup?: number;
  readonly fsGroupChangePolicy?: 'OnRootMismatch';
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: PullPolicy;
  readonly command: readonly string[];
  readonly env: readonly EnvVar[];
  readonly envFrom?: readonly EnvFromSource[];
  readonly ports: readonly {
    readonly name: string;
    readonly containerPort: number;
    readonly protocol: 'TCP';
  }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly resources: { readonly requests: ResourceList; readonly limits: ResourceList };
  readonly securityContext: {
    readonly allowPrivilegeEscalation: false;
    readonly readOnlyRootFilesystem: true;
    readonly capabilities: { readonly drop: readonly ['ALL'] };
  };
  readonly volumeMounts?: readonly VolumeMount[];
}

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

export interface ResourceList {
  readonly cpu: string;
  readonly memory: string;
}

interface KeySelector {
  readonly name: string;
  readonly key: string;
  readonly optional?: true;
}

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?:
    { readonly secretKeyRef: KeySelector } | { readonly fieldRef: { readonly fieldPath: string } };
}

export interface EnvFromSource {
  readonly prefix: string;
  readonly secretRef: { readonly name: string; readonly optional?: true };
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly readOnly?: true;
}

export interface Secret {
  readonly apiVersion: 'v1';
  readonly kind: 'Secret';
  readonly metadata: ObjectMeta;
  readonly type: string;
  /** Base64. */
  readonly data: Texts;
}

export interface PodDisruptionBudget {
  readonly apiVersion: 'policy/v1';
  readonly kind: 'PodDisruptionBudget';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly maxUnavailable: number;
    readonly unhealthyPodEvictionPolicy: 'AlwaysAllow';
    readonly selector: LabelSelector;
  };
}

export interface NetworkPolicy {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'NetworkPolicy';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly podSelector: LabelSelector;
    readonly policyTypes: readonly ['Ingress'];
    readonly ingress: readonly never[];
  };
}
