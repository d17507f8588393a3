/**
 * The schema of Function: one function in each form that its author has.
 *
 * Owns: fields, bounds, defaults and descriptions. Neighbour: `../rules/function.ts` holds what one field
 * alone cannot say.
 */
import { z } from 'zod';
import {
  ABSOLUTE_PATH,
  architecture,
  atomicList,
  conditions,
  ENV_NAME,
  ENV_PREFIX,
  HTTPS_URL,
  IMAGE,
  int,
  LABEL_VALUE,
  listMap,
  matching,
  metadata,
  nameInGraph,
  objectKey,
  objectName,
  observedGeneration,
  OPTIONAL_DNS_LABEL,
  OPTIONAL_DNS_SUBDOMAIN,
  OPTIONAL_URL_PATH,
  quantity,
  setOf,
  SHA256,
  spelledOut,
  stringMap,
  text,
  URL_PATH,
} from './parts.ts';

/** Longest module text in the object itself; more belongs into a ConfigMap, an image or behind a URL. */
export const INLINE_MAX = 65_536;

const moduleSource = z.object({
  inline: text(INLINE_MAX)
    .optional()
    .describe('The module itself, at most 64 KiB: the text of an ES module, or a WASM module in base64.'),
  configMap: z
    .object({
      name: objectName().describe('The name of the ConfigMap, in the same namespace.'),
      key: objectKey().describe('The key that holds the module, in `data` or `binaryData`.'),
    })
    .optional()
    .describe('The module is the value of a key of a ConfigMap.'),
  image: z
    .object({
      reference: matching(IMAGE, 512).describe(
        'The image, with the host of its registry and by digest: registry.example/name@sha256:…',
      ),
      path: matching(ABSOLUTE_PATH, 512).describe('The path of the module inside the image.'),
    })
    .optional()
    .describe(
      'The module is a file of an OCI image or artifact, pulled by the unit itself with the ' +
        '`imagePullSecrets` of the template.',
    ),
  url: z
    .object({
      href: matching(HTTPS_URL, 2048).describe('Where the module is fetched from.'),
      sha256: matching(SHA256, 64).describe('The digest of the module; anything else is refused.'),
    })
    .optional()
    .describe('The module is fetched from a URL that the operator allows.'),
});

const http = z.object({
  port: int(1, 65_535).default(8080).describe('The port on which the program serves HTTP.'),
  path: matching(URL_PATH, 512).default('/').describe('The path to which calls are posted.'),
  readinessPath: matching(OPTIONAL_URL_PATH, 512)
    .default('')
    .describe('A path that answers 2xx when the program is ready; empty: ready when the port is open.'),
});

const container = z.object({
  image: matching(IMAGE, 512).describe('The image, best by digest.'),
  architectures: setOf(architecture, 6)
    .default([])
    .describe('The machine architectures that the image runs on; at least one.'),
  contract: z
    .enum(['Http', 'Stdio', 'File'])
    .default('Http')
    .describe(
      'How the program takes a call: Http (a POST per call), Stdio (a process per call, input on stdin, ' +
        'output on stdout) or File (a Job per call, input and output as files).',
    ),
  http: http.optional().describe('Where the program serves, for the contract Http.'),
  command: atomicList(text(4096), 64).default([]).describe("Replaces the image's entry point."),
  args: atomicList(text(4096), 256).default([]).describe("Replaces the image's arguments."),
});

const artifact = z.object({
  name: nameInGraph().describe('The name of the artifact, unique in the function.'),
  type: z
    .enum(['JavaScript', 'Wasm', 'Container'])
    .describe(
      'JavaScript: an ES module whose default export is (input, ctx) => output. Wasm: a WASI preview 1 ' +
        'command (input on stdin, output on stdout) or a component. Container: an image.',
    ),
  module: moduleSource
    .optional()
    .describe(
      'Where the module comes from, for JavaScript and Wasm: exactly one of inline, configMap, image, url.',
    ),
  container: container.optional().describe('The program, for the type Container.'),
});

const cpuAndMemory = (cpu: string, memory: string) =>
  z.object({
    cpu: quantity().default(cpu).describe('Cores, as a Kubernetes quantity.'),
    memory: quantity().default(memory).describe('Bytes of memory, as a Kubernetes quantity.'),
  });

const resources = z.object({
  requests: cpuAndMemory('100m', '64Mi').prefault({}).describe('What a machine must have left.'),
  limits: cpuAndMemory('1', '256Mi').prefault({}).describe('What the function may use at most.'),
});

const scaling = z.object({
  mode: z
    .enum(['Auto', 'External'])
    .default('Auto')
    .describe(
      'Auto: Sinter chooses between `minInstances` and `maxInstances`. External: another autoscaler writes ' +
        '`instances` through /scale; the function gets a unit of its own and may be in one workflow only.',
    ),
  minInstances: int(0, 1000).default(0).describe('Fewest instances; 0 lets the function sleep.'),
  maxInstances: int(1, 1000).default(10).describe('Most instances.'),
  idleSeconds: int(1, 86_400).default(60).describe('How long without a call before an instance may end.'),
  instances: int(0, 1000).optional().describe('The number of instances, for the mode External only.'),
});

const placement = z.object({
  tiers: setOf(z.enum(['Edge', 'Cloud']), 2)
    .min(1)
    .default(['Edge', 'Cloud'])
    .describe('The tiers of machines on which the function may run.'),
  architectures: setOf(architecture, 6)
    .min(1)
    .default(['amd64', 'arm64'])
    .describe('The machine architectures on which the function may run.'),
});

const keyRef = (what: string) =>
  z.object({
    name: objectName().describe(`The name of the ${what}, in the same namespace.`),
    key: objectKey().describe(`The key in the ${what}.`),
    optional: z.boolean().default(false).describe('Whether it may be missing.'),
  });

const sourceRef = (what: string) =>
  z.object({
    name: objectName().describe(`The name of the ${what}, in the same namespace.`),
    optional: z.boolean().default(false).describe('Whether it may be missing.'),
  });

const env = z.object({
  name: matching(ENV_NAME, 253).describe('The name of the variable.'),
  value: text(32_768).optional().describe('Its value; empty when neither this nor `valueFrom` is set.'),
  valueFrom: z
    .object({
      secretKeyRef: keyRef('Secret').optional().describe('The value is a key of a Secret.'),
      configMapKeyRef: keyRef('ConfigMap').optional().describe('The value is a key of a ConfigMap.'),
    })
    .optional()
    .describe('Where the value comes from: exactly one of secretKeyRef, configMapKeyRef.'),
});

const envFrom = z.object({
  prefix: matching(ENV_PREFIX, 253).default('').describe('Put before each name.'),
  configMapRef: sourceRef('ConfigMap').optional().describe('Every key of a ConfigMap.'),
  secretRef: sourceRef('Secret').optional().describe('Every key of a Secret.'),
});

const volumeMount = z.object({
  name: nameInGraph().describe('The name of a volume in `template.spec.volumes`.'),
  mountPath: matching(ABSOLUTE_PATH, 512).describe('Where the function sees it.'),
  subPath: text(512).default('').describe('A path inside the volume; empty: its root.'),
  readOnly: z.boolean().default(false).describe('Whether it may only be read.'),
});

const toleration = z.object({
  key: text(317).default('').describe('The key of the taint; empty, with Exists: every taint.'),
  operator: z
    .enum(['Equal', 'Exists'])
    .default('Equal')
    .describe('Exists: whatever the value; Equal: this value.'),
  value: text(63).default('').describe('The value of the taint, for the operator Equal.'),
  effect: z
    .enum(['', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    .default('')
    .describe('The effect of the taint; empty: every effect.'),
  tolerationSeconds: int(0, 2_147_483_647)
    .optional()
    .describe('How long a NoExecute taint is tolerated; absent: without limit.'),
});

const volume = z.looseObject({
  name: nameInGraph().describe('The name that `volumeMounts` use.'),
});

const template = z.object({
  metadata: z
    .object({
      labels: stringMap(matching(LABEL_VALUE, 63), 32).default({}).describe('Labels of every pod.'),
      annotations: stringMap(text(4096), 32).default({}).describe('Annotations of every pod.'),
    })
    .prefault({})
    .describe('Metadata of every pod.'),
  spec: z
    .object({
      serviceAccountName: matching(OPTIONAL_DNS_SUBDOMAIN, 253)
        .default('')
        .describe("The service account of the pods; empty: the namespace's default, without a token."),
      imagePullSecrets: listMap(
        z.object({ name: objectName().describe('The name of the Secret, in the same namespace.') }),
        ['name'],
        16,
      )
        .default([])
        .describe('Secrets with which images are pulled.'),
      nodeSelector: stringMap(matching(LABEL_VALUE, 63), 32)
        .default({})
        .describe('Labels that a machine must have.'),
      tolerations: atomicList(toleration, 32).default([]).describe('Taints that the pods bear.'),
      priorityClassName: matching(OPTIONAL_DNS_SUBDOMAIN, 253)
        .default('')
        .describe("The PriorityClass of the pods; empty: the cluster's default."),
      volumes: listMap(volume, ['name'], 32)
        .default([])
        .describe(
          'Volumes of the pods: a name and a source, as in a Pod. A volume makes a cold start slower.',
        ),
    })
    .prefault({})
    .describe('Spec of every pod.'),
});

export const functionSpec = z.object({
  artifacts: listMap(artifact, ['name'], 16)
    .min(1)
    .describe('The same function in each form that its author has; Sinter picks one per architecture.'),
  resources: spelledOut(resources).describe('What one instance needs.'),
  timeoutSeconds: int(1, 86_400).default(30).describe('How long one call may take.'),
  concurrency: int(1, 1000).default(8).describe('Calls at once in one instance.'),
  isolation: z
    .enum(['Auto', 'Worker', 'Shared'])
    .default('Auto')
    .describe(
      'Worker: a thread of its own. Shared: one thread with other functions of the same trust domain and ' +
        'environment. Auto: the planner chooses.',
    ),
  scaling: spelledOut(scaling).describe('How many instances.'),
  placement: placement.prefault({}).describe('Where the function may run.'),
  trustDomain: matching(OPTIONAL_DNS_LABEL, 63)
    .default('')
    .describe(
      'Functions of different domains never share a process. Empty: Secrets of its own keep a function ' +
        'apart. A shared name is the consent to share.',
    ),
  env: listMap(env, ['name'], 100).default([]).describe('Environment variables, seen as ctx.env.'),
  envFrom: atomicList(envFrom, 20)
    .default([])
    .describe('Every key of ConfigMaps and Secrets as environment variables; `env` wins.'),
  volumeMounts: listMap(volumeMount, ['mountPath'], 32)
    .default([])
    .describe('Where volumes of the template are mounted.'),
  template: template
    .prefault({})
    .describe(
      'What every pod of a unit with this function gets; functions whose templates differ are not fused.',
    ),
});

const functionStatus = z.object({
  observedGeneration,
  conditions,
  artifacts: text(512).optional().describe('The artifacts by name, in one line.'),
  workflows: text(512).optional().describe('The workflows that use the function, in one line.'),
  unit: text(512).optional().describe('The units that run the function now, in one line.'),
  instances: int(0, 1_000_000).optional().describe('How many instances run now.'),
  readyInstances: int(0, 1_000_000).optional().describe('How many of them are ready.'),
  selector: text(1024).optional().describe('The label selector of the pods, for /scale.'),
});

export const functionSchema = z.object({
  apiVersion: z.literal('sinter.dev/v1alpha1'),
  kind: z.literal('Function'),
  metadata,
  spec: functionSpec.describe('What the author declares.'),
  status: functionStatus.optional().describe('What the operator reports.'),
});
