/** Values with which the chart is rendered in tests: together they render every template. */
export const VALUE_SETS: Readonly<Record<string, object>> = {
  defaults: {},
  trial: { nats: { hub: { persistence: { enabled: false, sync: 'Interval' } } }, tls: { mode: 'Off' } },
  'highly available': {
    commonLabels: { team: 'edge' },
    image: {
      repository: 'registry.example:5000/sinter',
      digest: `sha256:${'a'.repeat(64)}`,
      pullSecrets: ['pull'],
    },
    operator: { replicas: 2, extraEnv: [{ name: 'A', value: 'b' }], extraArgs: ['--trace-warnings'] },
    gateway: {
      replicas: 3,
      service: {
        type: 'LoadBalancer',
        nodePort: 30080,
        loadBalancerClass: 'x',
        loadBalancerSourceRanges: ['10.0.0.0/8'],
      },
      ingress: {
        enabled: true,
        className: 'nginx',
        hosts: ['fn.example'],
        tls: [{ hosts: ['fn.example'], secretName: 'tls' }],
      },
      topologySpreadConstraints: [{ topologyKey: 'zone', maxSkew: 2, whenUnsatisfiable: 'DoNotSchedule' }],
      nodeSelector: { pool: 'front' },
      tolerations: [{ key: 'front', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      priorityClassName: 'high',
    },
    nats: { hub: { replicas: 3, persistence: { storageClassName: 'fast', annotations: { a: 'b' } } } },
    tls: { mode: 'CertManager' },
    page: { secretName: 'page' },
    metrics: {
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true },
    },
    networkPolicy: {
      apiServerCidrs: ['10.0.0.1/32'],
      gatewayFrom: [{ namespaceSelector: {} }],
      metricsFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      extraEgress: [{ ports: [{ port: 4318 }] }],
    },
  },
  'two namespaces, an issuer of its own, a route, no leaves': {
    fullnameOverride: 'fns',
    watchNamespaces: ['red', 'blue'],
    crds: { keep: false },
    rbac: { aggregate: false },
    gateway: {
      httpRoute: { enabled: true, parentRefs: [{ name: 'public' }], hostnames: ['fn.example'] },
      extraVolumes: [{ name: 'x', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'x', mountPath: '/x' }],
    },
    nats: { monitoring: false, leaf: { enabled: false } },
    tls: { mode: 'CertManager', certManager: { issuerRef: { name: 'house', kind: 'ClusterIssuer' } } },
    extraObjects: [
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: '{{ .Release.Name }}-extra' },
        data: { a: 'b' },
      },
    ],
  },
  'NATS of the user, signing keys': {
    nats: {
      mode: 'SigningKey',
      external: { urls: ['tls://a.nats:4222', 'tls://b.nats:14222'], secretName: 'nats-keys' },
    },
  },
  'NATS of the user, one credential': {
    crds: { install: false },
    gateway: { enabled: false },
    networkPolicy: { enabled: false },
    secretGuard: { enabled: false },
    defaultPolicy: { create: false },
    nats: {
      mode: 'SharedCredential',
      external: { urls: ['nats://nats.nats'], secretName: 'nats', streamReplicas: 1 },
    },
  },
};
