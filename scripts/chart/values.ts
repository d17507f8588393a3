/**
 * The values of the chart, defined once: `values.yaml`, `values.schema.json` and `docs/reference/values.md` are written
 * from here by `../chart.ts`.
 *
 * Invariants:
 *  1. Every value has a default with which `helm install` works, and a sentence that says what it does.
 *  2. Nothing is accepted that is not named here: a typing error in a values file is refused, not ignored.
 *  3. No value holds a secret: keys are made by the operator, or lie in a Secret that a value names.
 */
import { z } from 'zod';
import {
  anyObject,
  anyObjects,
  count,
  disruption,
  extras,
  flag,
  group,
  oneOf,
  quantity,
  resources,
  scheduling,
  spread,
  text,
  texts,
  words,
} from './fields.ts';

const DNS_LABEL = /^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$/;
const DIGEST = /^(sha256:[0-9a-f]{64})?$/;

const image = (repository: string, tag: string, tagDescription: string, what: string) => ({
  repository: z.string().min(1).default(repository).describe(`Where the image of ${what} is, without tag.`),
  tag: text(tag, tagDescription),
  digest: z.string().regex(DIGEST).default('').describe('sha256:…; goes before the tag where it is given.'),
  pullPolicy: oneOf(['IfNotPresent', 'Always', 'Never'], 'IfNotPresent', 'When the image is pulled.'),
});

const serviceAccount = (what: string) =>
  group(
    {
      create: flag(true, 'Make it.'),
      name: text('', 'Its name; empty: after the release.'),
      annotations: words('Annotations on it.'),
    },
    `ServiceAccount of ${what}.`,
  );

const operator = group(
  {
    replicas: count(1, 1, 5, 'One leads, the others wait.'),
    leaderElection: flag(true, 'Elect a leader by a Lease. Off only for a single replica.'),
    logLevel: oneOf(['debug', 'info', 'warn', 'error'], 'info', 'Least level that is logged.'),
    maxOldSpaceMiB: count(
      320,
      96,
      65536,
      "Heap of Node, in MiB; keep it below the container's memory limit.",
    ),
    credentialLifetimeSeconds: count(
      2_592_000,
      60,
      31_536_000,
      "Life of a unit's credential, and of the gateway's; renewed after a third of it.",
    ),
    insecureRegistries: texts(
      'Registries (host:port) from which units fetch modules over plain HTTP; for trials.',
    ),
    serviceAccount: serviceAccount('the operator'),
    resources: resources({ cpu: '50m', memory: '192Mi' }, { memory: '512Mi' }),
    podDisruptionBudget: disruption('the operator'),
    ...scheduling('the operator'),
    ...spread('the operator'),
    ...extras('the operator'),
  },
  'The control plane. It is off the path of calls: while it is down, everything that runs goes on.',
);

const ingress = group(
  {
    enabled: flag(false, 'Make an Ingress.'),
    className: text('', "Class of the Ingress; empty: the cluster's default."),
    annotations: words('Annotations on it.'),
    hosts: texts('Host names that lead to the gateway. Empty: every host.'),
    tls: anyObjects('TLS of the Ingress, as in its spec: [{hosts: […], secretName: …}].'),
  },
  'Way in through an Ingress.',
);

const httpRoute = group(
  {
    enabled: flag(false, 'Make an HTTPRoute (needs the Gateway API in the cluster).'),
    annotations: words('Annotations on it.'),
    parentRefs: anyObjects('Gateways that it attaches to, as in its spec.'),
    hostnames: texts('Host names that lead to the gateway. Empty: those of the Gateway.'),
  },
  'Way in through the Gateway API.',
);

const gatewayService = group(
  {
    type: oneOf(['ClusterIP', 'NodePort', 'LoadBalancer'], 'ClusterIP', 'Type of the Service.'),
    port: count(80, 1, 65535, 'Its port.'),
    nodePort: count(
      0,
      0,
      65535,
      'Port on the machines, for NodePort and LoadBalancer; 0: the cluster chooses.',
    ),
    annotations: words('Annotations on it.'),
    loadBalancerClass: text('', 'Class of the load balancer, for LoadBalancer.'),
    loadBalancerSourceRanges: texts('Addresses that the load balancer lets in.'),
    externalTrafficPolicy: oneOf(
      ['Cluster', 'Local'],
      'Cluster',
      'Local keeps the address of the client, for NodePort and LoadBalancer.',
    ),
  },
  'Service of the gateway.',
);

const gateway = group(
  {
    enabled: flag(
      true,
      'Run it. Without it functions are reached by nothing but other functions and queues.',
    ),
    replicas: count(1, 1, 100, 'How many; two or more where a restart of one must not be seen.'),
    url: text(
      '',
      'What users of functions call, for status.address. Empty: from ingress or httpRoute, else the Service.',
    ),
    maxOldSpaceMiB: count(
      160,
      64,
      65536,
      "Heap of Node, in MiB; keep it below the container's memory limit.",
    ),
    drainSeconds: count(
      5,
      0,
      60,
      'From the start of the end of a pod to its refusing new requests: time for load balancers to learn.',
    ),
    terminationGracePeriodSeconds: count(
      50,
      1,
      3600,
      'Then clients get 3 s to go elsewhere and calls under way up to 30 s; more than all three.',
    ),
    issuers: group(
      {
        hosts: z
          .array(z.string().regex(/^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/))
          .default([])
          .describe(
            'Hosts of issuers of tokens (auth: Jwt) that may be asked for their keys; `*.example.org` is any name below it. Empty: every host.',
          ),
        ca: text(
          '',
          'Certificates (PEM) of authorities that are trusted for issuers, beside the usual ones.',
        ),
      },
      'Issuers of tokens, which triggers name and the gateway asks (docs/decisions/0011).',
    ),
    service: gatewayService,
    ingress,
    httpRoute,
    resources: resources({ cpu: '100m', memory: '96Mi' }, { memory: '256Mi' }),
    podDisruptionBudget: disruption('the gateway'),
    ...scheduling('the gateway'),
    ...spread('the gateway'),
    ...extras('the gateway'),
  },
  'The way in: HTTP.',
);

const persistence = group(
  {
    enabled: flag(
      true,
      'Keep accepted asynchronous calls, routes and modules on a PersistentVolumeClaim. Off: in an emptyDir, for trials only; a hub that moves or is evicted FORGETS ALL ACCEPTED CALLS.',
    ),
    size: quantity('10Gi', 'Size of the claim of each hub server, or limit of the emptyDir.'),
    storageClassName: text('', "Storage class; empty: the cluster's default."),
    annotations: words('Annotations on the claims.'),
    sync: oneOf(
      ['Always', 'Interval'],
      'Always',
      'Always: on the disk before a call is acknowledged, which a power cut needs. Interval: faster, and up to two minutes of accepted calls can be lost with the power.',
    ),
  },
  'Where the hub stores.',
);

const hub = group(
  {
    replicas: z
      .union([z.literal(1), z.literal(3)])
      .default(1)
      .describe('1, or 3: then a server may be lost without losing a call, and streams have three copies.'),
    persistence,
    maxFileStoreBytes: count(
      8_589_934_592,
      67_108_864,
      Number.MAX_SAFE_INTEGER,
      'What JetStream may store, in bytes; beyond it async calls are refused, never dropped. Less than persistence.size.',
    ),
    maxMemoryStoreBytes: count(67_108_864, 0, Number.MAX_SAFE_INTEGER, 'Memory for streams, in bytes.'),
    goMemoryLimit: text('400MiB', "GOMEMLIMIT of the server; keep it below the container's memory limit."),
    resources: resources({ cpu: '100m', memory: '128Mi' }, { memory: '512Mi' }),
    podDisruptionBudget: disruption('the hub'),
    ...scheduling('the hub'),
    ...spread('the hub'),
  },
  'The hub: the NATS servers that store.',
);

const leaf = group(
  {
    enabled: flag(
      true,
      'A small NATS server on every machine, by a DaemonSet: calls between functions on one machine never leave it. Off: all calls go through the hub.',
    ),
    hostPort: count(
      4222,
      1,
      65535,
      'Port on every machine at which pods find their leaf. The Pod Security level of the namespace must allow it (baseline does not).',
    ),
    credentialLifetimeSeconds: count(
      31_536_000,
      3600,
      315_360_000,
      'Life of the credential of leaves; when the one that it connected with ends, a leaf connects anew.',
    ),
    goMemoryLimit: text('96MiB', "GOMEMLIMIT of the server; keep it below the container's memory limit."),
    resources: resources({ cpu: '20m', memory: '32Mi' }, { memory: '128Mi' }),
    maxUnavailable: z
      .union([z.int().min(1).max(1000), z.string().regex(/^[1-9][0-9]?%$|^100%$/)])
      .default(1)
      .describe('How many leaves are replaced at once in an upgrade; a number or a percentage.'),
    ...scheduling('the leaves', [{ operator: 'Exists' }]),
  },
  'Leaves: one NATS server a machine.',
);

const external = group(
  {
    urls: z
      .array(z.string().regex(/^(nats|tls):\/\/[^\s,/]+$/))
      .default([])
      .describe('Addresses of your NATS, for SigningKey and SharedCredential: tls://host:4222.'),
    secretName: text(
      '',
      "Secret in Sinter's namespace that holds what the mode needs; see docs/guides/install.md for its keys.",
    ),
    streamReplicas: z
      .union([z.literal(1), z.literal(3), z.literal(5)])
      .default(3)
      .describe('Copies of each stream.'),
  },
  'Your own NATS (2.12 or newer, with JetStream).',
);

const nats = group(
  {
    mode: oneOf(
      ['Bundled', 'SigningKey', 'SharedCredential'],
      'Bundled',
      'Bundled: the chart runs NATS. SigningKey: your NATS, Sinter signs credentials per unit. SharedCredential: your NATS, one credential for all, so the graph is not enforced (condition GraphNotEnforced).',
    ),
    image: group(
      image('nats', '2.15.1', 'Tag; 2.12 or newer, with /nats-server in it.', 'nats-server'),
      'Image of the bundled NATS.',
    ),
    monitoring: flag(
      true,
      'Health by HTTP on port 8222, for exact probes; NetworkPolicies close it to others. Off: probes only see whether the port is open.',
    ),
    hub,
    leaf,
    external,
  },
  'The bus.',
);

const certManager = group(
  {
    issuerRef: group(
      {
        name: text(
          '',
          'Its name; empty: the chart makes a certificate authority of its own with cert-manager.',
        ),
        kind: oneOf(['Issuer', 'ClusterIssuer'], 'Issuer', 'Its kind.'),
        group: text('cert-manager.io', 'Its API group.'),
      },
      'Issuer of the certificates. It must put its CA into ca.crt of the Secret.',
    ),
    duration: text('2160h', 'Life of the certificates.'),
    renewBefore: text('720h', 'How long before their end they are renewed.'),
  },
  'For the mode CertManager.',
);

const tls = group(
  {
    mode: oneOf(
      ['Operator', 'CertManager', 'Off'],
      'Operator',
      'Who makes the certificates of the bundled NATS. Off: everything between pods is readable on the network.',
    ),
    certManager,
  },
  'TLS between the bus and its clients, leaves and hub, and hub servers.',
);

const networkPolicy = group(
  {
    enabled: flag(true, "Close everything in Sinter's namespace but what it needs, both ways."),
    apiServerCidrs: texts('Addresses of the API server that the operator may reach. Empty: any.'),
    apiServerPorts: z
      .array(z.int().min(1).max(65535))
      .default([443, 6443])
      .describe('Its ports, as seen before and behind the Service.'),
    dnsPorts: z
      .array(z.int().min(1).max(65535))
      .default([53, 5353])
      .describe('Ports of the DNS, as seen before and behind its Service.'),
    gatewayFrom: anyObjects('Who may call the gateway, as `from` in a NetworkPolicy. Empty: anybody.'),
    metricsFrom: anyObjects(
      "Who may read the operator's metrics, as `from` in a NetworkPolicy. Empty: nobody.",
    ),
    extraEgress: anyObjects('More that operator and gateway may reach, as `egress` in a NetworkPolicy.'),
  },
  'NetworkPolicies.',
);

const monitorLabels = words('Labels on it, by which Prometheus finds it.');

const page = group(
  {
    secretName: text(
      '',
      'Secret in the namespace of the release whose entry `key` opens the page: 24 to 128 letters and digits. Empty: no page.',
    ),
    port: count(8082, 1024, 65535, 'Port of the operator for it; nothing leads there but a port-forward.'),
  },
  'The live page of workflows.',
);

const metrics = group(
  {
    port: count(8080, 1024, 65535, 'Port of the operator for metrics and probes.'),
    serviceMonitor: group(
      {
        enabled: flag(false, 'Make it.'),
        labels: monitorLabels,
        interval: text('30s', 'How often metrics are read.'),
      },
      'ServiceMonitor (needs the Prometheus operator).',
    ),
    prometheusRule: group({ enabled: flag(false, 'Make it.'), labels: monitorLabels }, 'Alerts.'),
    dashboard: group(
      {
        enabled: flag(false, 'Make it.'),
        labels: z
          .record(z.string(), z.string())
          .default({ grafana_dashboard: '1' })
          .describe('Labels by which Grafana finds it.'),
      },
      'Dashboard for Grafana, in a ConfigMap.',
    ),
  },
  'Metrics, alerts and a dashboard.',
);

export const values = z.strictObject({
  nameOverride: z.string().regex(DNS_LABEL).max(40).default('').describe('Instead of the name of the chart.'),
  fullnameOverride: z
    .string()
    .regex(DNS_LABEL)
    .max(40)
    .default('')
    .describe('Prefix of all names, instead of release and chart.'),
  commonLabels: words('Labels on everything that the chart makes.'),
  clusterDomain: text('cluster.local', 'DNS domain of the cluster; in certificates.'),
  image: group(
    {
      ...image('sinter', '', 'Tag; empty: the version of the chart.', 'operator, gateway and units'),
      pullSecrets: texts("Names of Secrets in Sinter's namespace to pull with."),
    },
    'The one image of Sinter.',
  ),
  crds: group(
    {
      install: flag(true, 'Install and upgrade the CustomResourceDefinitions with the chart.'),
      keep: flag(true, 'Keep them, and so every Workflow, when the release is uninstalled.'),
    },
    'CustomResourceDefinitions.',
  ),
  watchNamespaces: texts(
    'Namespaces that Sinter serves; it gets rights in no other. Empty: all. They must exist. With several releases in a cluster each needs its own, none of them shared.',
  ),
  triggerHosts: z
    .record(
      z.string().regex(/^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$/),
      z.array(z.string().regex(/^(\*|(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/)),
    )
    .default({})
    .describe(
      'Hosts at which triggers may answer, by namespace; `*` is every namespace, `*.example.org` any name below it, `*` in a list every host. Empty: any namespace may answer anywhere, and of two the older Workflow does.',
    ),
  rbac: group(
    {
      create: flag(true, 'Make Roles and bindings of the operator.'),
      aggregate: flag(true, "Add Sinter's kinds to the cluster's roles view, edit and admin."),
      planRole: flag(
        true,
        'Make a ClusterRole, named after the release with -plan, for users who may see only their namespaces: with it `sinter plan` reads what belongs to no namespace (Nodes and ClusterOptimizationPolicies). Bind it to them.',
      ),
    },
    'Rights.',
  ),
  secretGuard: group(
    {
      enabled: flag(
        true,
        'A ValidatingAdmissionPolicy that lets the operator touch, outside its own namespace, only Secrets of the type sinter.dev/unit-credential. Off: its right to write Secrets is bounded by nothing.',
      ),
    },
    "What holds the operator back from other people's Secrets.",
  ),
  defaultPolicy: group(
    {
      create: flag(
        true,
        'Let the operator make the ClusterOptimizationPolicy `default`, and keep in it what nobody else has changed.',
      ),
      spec: anyObject('Its spec; what is not given has the defaults of the API.'),
    },
    'The policy of workflows that have none.',
  ),
  operator,
  gateway,
  nats,
  tls,
  networkPolicy,
  metrics,
  page,
  extraObjects: z
    .array(z.looseObject({ apiVersion: z.string(), kind: z.string() }))
    .default([])
    .describe('More objects to make with the release; strings in them are templates.'),
});

export type Values = z.infer<typeof values>;
