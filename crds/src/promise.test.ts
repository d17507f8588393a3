/** The API as it is promised to users, field by field: these manifests must stay valid. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { FunctionInput, WorkflowInput } from './types.ts';
import { problemLine } from './problem.ts';
import { validate } from './validate.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

const MANIFESTS = `
apiVersion: sinter.dev/v1alpha1
kind: Function
metadata: {name: count-cars, namespace: traffic}
spec:
  artifacts:
  - name: js
    type: JavaScript
    module: {configMap: {name: traffic-code, key: count-cars.mjs}}
  - name: wasm
    type: Wasm
    module: {image: {reference: "registry.example/count-cars@${DIGEST}", path: /count-cars.wasm}}
  - name: native
    type: Container
    container:
      image: "registry.example:5000/count-cars@${DIGEST}"
      architectures: [amd64]
      contract: Http
      http: {port: 8080, path: /, readinessPath: /healthz}
      command: []
      args: []
  resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: "1", memory: 256Mi}}
  timeoutSeconds: 30
  concurrency: 8
  isolation: Auto
  scaling: {mode: Auto, minInstances: 0, maxInstances: 10, idleSeconds: 60}
  placement: {tiers: [Edge, Cloud], architectures: [amd64, arm64]}
  trustDomain: ""
  env: [{name: LEVEL, value: info}, {name: TOKEN, valueFrom: {secretKeyRef: {name: tokens, key: cars}}}]
  envFrom: [{configMapRef: {name: settings}}]
  volumeMounts: [{name: model, mountPath: /model, readOnly: true}]
  template:
    metadata: {labels: {}, annotations: {}}
    spec:
      serviceAccountName: ""
      imagePullSecrets: []
      nodeSelector: {}
      tolerations: []
      priorityClassName: ""
      volumes: [{name: model, configMap: {name: model}}]
---
apiVersion: sinter.dev/v1alpha1
kind: Workflow
metadata: {name: traffic, namespace: traffic}
spec:
  suspend: false
  functions:
  - {name: ingest}
  - {name: count, functionRef: {name: count-cars}}
  - {name: archive}
  - {name: billing, service: {name: billing, port: 80, path: /rpc}}
  edges:
  - {from: ingest, to: count, call: Sync, timeoutSeconds: 5, retry: {attempts: 2, on: [CalleeLost, Overloaded]}}
  - from: ingest
    to: archive
    call: Async
    durability: AtLeastOnce
    deferral: {startDeadlineSeconds: 420}
    retry: {attempts: 5, backoffSeconds: 1, maxBackoffSeconds: 60}
    deadLetter: {retentionSeconds: 604800}
  triggers:
  - {name: web, to: ingest, type: Http, http: {hosts: [], path: /traffic, methods: [POST], auth: {type: None}}}
  - name: nightly
    to: archive
    type: Cron
    cron: {schedule: "0 3 * * *", timeZone: Europe/Berlin, concurrencyPolicy: Forbid, startingDeadlineSeconds: 600}
  - {name: queue, to: ingest, type: Nats, nats: {subject: cars.seen}}
  - {name: sensors, to: ingest, type: Coap, coap: {path: /cars}}
  - {name: rpc, to: ingest, type: Grpc}
  - {name: bucket, to: archive, type: S3, s3: {bucket: cars, prefix: in/, suffix: .jpg, events: ["s3:ObjectCreated:*"]}}
  - {name: topic, to: ingest, type: Dapr, dapr: {component: pubsub, topic: cars}}
  - {name: events, to: ingest, type: CloudEvents, cloudEvents: {types: [example.car.seen]}}
  expose: Triggers
  policyRef: {name: balanced}
  planRef: {hash: ""}
status:
  address: {url: "http://traffic.example/traffic"}
  plan: {current: 5f3a9c21d4, candidate: 0a1b2c3d4e, weightPercent: 5}
  observedGeneration: 3
---
apiVersion: sinter.dev/v1alpha1
kind: OptimizationPolicy
metadata: {name: balanced, namespace: traffic}
spec:
  mode: Optimize
  objective: Balanced
  price: {model: BusyTime, gigabyteSecond: "0.0000166667", cpuSecond: "0"}
  fusion: {mode: Manual, strategy: Search, maxFunctions: 20, groups: [{workflow: traffic, name: front, functions: [ingest, count]}]}
  runtime: {prefer: Auto}
  channels: {allowed: [InProcess, Pod, Node, Remote]}
  deferral: {mode: Auto, busyAbovePercent: 90, idleBelowPercent: 60}
  scaling: {standIns: {instances: 0}}
  rollout: {mode: Automatic, minimumGainPercent: 5, maximumDurationSeconds: 3600, cooldownSeconds: 120, onRegression: Hold}
---
apiVersion: sinter.dev/v1alpha1
kind: ClusterOptimizationPolicy
metadata: {name: default}
spec: {rollout: {mode: Manual}}
---
apiVersion: sinter.dev/v1alpha1
kind: WorkflowPlan
metadata: {name: traffic-5f3a9c21d4, namespace: traffic}
spec:
  workflowRef: {name: traffic}
  units:
  - name: traffic-ingest-7c1e02ab9f
    functions: [ingest, count]
    resources: {cpu: 500m, memory: 256Mi}
    variants:
    - architecture: amd64
      artifacts:
      - {function: ingest, artifact: js, isolation: Worker}
      - {function: count, artifact: wasm, isolation: Worker}
    - {architecture: arm64, artifacts: [{function: ingest, artifact: js}, {function: count, artifact: js}]}
  channels: [{from: ingest, to: count, channel: InProcess}, {from: ingest, to: archive, channel: Queue}]
  decisions:
  - about: "ingest → count"
    kind: Fusion
    choice: Together
    reason: SyncEdgeFaster
    message: "in one process a call takes 0.07 ms instead of 0.42 ms"
    inputs: [{name: "calls per root call", value: "1.0", samples: 200}]
    alternatives: [{choice: Apart, reason: SlowerAndNoCheaper, margin: "31 %"}]
    margin: "31 %"
status: {sequence: 7, state: Current, gain: "31 %", comparison: {baseline: 0a1b2c3d4e, verdict: Better}}
`;

describe('the promised API', () => {
  for (const document of parseAllDocuments(MANIFESTS)) {
    const manifest = document.toJS() as { kind: string };
    it(`takes the ${manifest.kind} of the documentation`, () => {
      const verdict = validate(manifest);
      assert.ok(verdict.ok, verdict.ok ? '' : verdict.problems.map(problemLine).join('\n'));
      const { spec } = verdict.object as { spec: object };
      const { spec: asWritten } = verdict.written as { spec: object };
      assert.partialDeepStrictEqual(spec, asWritten, 'a field was lost or changed');
    });
  }

  it('lets a program leave out what has a default', () => {
    const small: FunctionInput = {
      apiVersion: 'sinter.dev/v1alpha1',
      kind: 'Function',
      metadata: { name: 'a' },
      spec: {
        artifacts: [{ name: 'js', type: 'JavaScript', module: { inline: 'export default () => 1;' } }],
      },
    };
    const graph: WorkflowInput = {
      apiVersion: 'sinter.dev/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'w' },
      spec: { functions: [{ name: 'a' }, { name: 'b' }], edges: [{ from: 'a', to: 'b' }] },
    };
    for (const one of [small, graph]) assert.ok(validate(one).ok);
  });
});
