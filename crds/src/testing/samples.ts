/**
 * Accepted and rejected objects: for each rule of the API at least one of each, and for shape what a careless or
 * malicious manifest may hold. Owns the samples; `../rules.test.ts` judges them by `validate`, and
 * `../parity.test.ts` by the generated CRD. A key is the sentence that the sample shows.
 */
import {
  aClusterPolicy,
  aContainer,
  aCron,
  aFunction,
  anEdge,
  aPlan,
  aPolicy,
  aTemplate,
  aTrigger,
  aWorkflow,
  container,
  groups,
  http,
  inlineModule,
  javascript,
  unit,
} from './builders.ts';

export interface Accepted {
  readonly object: unknown;
  readonly old?: unknown;
}

export interface Rejected {
  readonly object: unknown;
  readonly old?: unknown;
  /** The field of the problem. */
  readonly field: string;
  /** What the problem shows as given. */
  readonly given: string;
}

export interface RuleSamples {
  readonly accepts: Readonly<Record<string, Accepted>>;
  readonly rejects: Readonly<Record<string, Rejected>>;
}

const no = (field: string, given: string, object: unknown, old?: unknown): Rejected => ({
  object,
  field,
  given,
  ...(old === undefined ? {} : { old }),
});
const yes = (object: unknown, old?: unknown): Accepted => ({ object, ...(old === undefined ? {} : { old }) });

const modules = (module: unknown) => aFunction({ artifacts: [{ name: 'js', type: 'JavaScript', module }] });
const toleration = (one: unknown) => aTemplate({ tolerations: [one] });
const labels = (map: unknown) => aFunction({ template: { metadata: { labels: map } } });
const annotations = (map: unknown) => aFunction({ template: { metadata: { annotations: map } } });
const selector = (map: unknown) => aTemplate({ nodeSelector: map });
const twoHttp = (one: object, other: object) =>
  aWorkflow({
    triggers: [
      { name: 'one', to: 'ingest', type: 'Http', http: { ...http, ...one } },
      { name: 'two', to: 'count', type: 'Http', http: { ...http, ...other } },
    ],
  });
const auth = (one: unknown) => aTrigger({ type: 'Http', http: { path: '/', auth: one } });
const secret = { name: 'tokens', key: 'cars' };

export const RULE_SAMPLES: Readonly<Record<string, RuleSamples>> = {
  NameNoLabel: {
    accepts: {
      'a function named by a label': yes(aFunction({}, 'count-cars')),
      'a name that starts with a digit': yes(aFunction({}, '2-cars')),
      'a name of 40 characters': yes(aWorkflow({}, 'a'.repeat(40))),
    },
    rejects: {
      'a function with a dot': no('metadata.name', 'count.cars', aFunction({}, 'count.cars')),
      'a workflow with a dot': no('metadata.name', 'tra.ffic', aWorkflow({}, 'tra.ffic')),
      'a name of 41 characters': no('metadata.name', 'a'.repeat(41), aWorkflow({}, 'a'.repeat(41))),
    },
  },
  ArtifactSectionMismatch: {
    accepts: {
      'a module for JavaScript': yes(aFunction()),
      'a module for Wasm': yes(aFunction({ artifacts: [{ name: 'w', type: 'Wasm', module: inlineModule }] })),
      'a container for Container': yes(aFunction({ artifacts: [container] })),
    },
    rejects: {
      'a container for JavaScript': no(
        'spec.artifacts[0].type',
        'JavaScript',
        aFunction({ artifacts: [{ ...container, type: 'JavaScript' }] }),
      ),
      'a module for Container': no(
        'spec.artifacts[1].type',
        'Container',
        aFunction({ artifacts: [javascript, { ...javascript, name: 'native', type: 'Container' }] }),
      ),
      neither: no('spec.artifacts[0].type', 'Wasm', aFunction({ artifacts: [{ name: 'w', type: 'Wasm' }] })),
      both: no(
        'spec.artifacts[0].type',
        'Container',
        aFunction({ artifacts: [{ ...container, module: inlineModule }] }),
      ),
    },
  },
  ModuleSourcesNotOne: {
    accepts: {
      'inline only': yes(modules({ inline: '' })),
      'a ConfigMap only': yes(modules({ configMap: { name: 'code', key: 'a.mjs' } })),
      'an image only': yes(
        modules({ image: { reference: 'registry.example/a@sha256:' + 'a'.repeat(64), path: '/a.wasm' } }),
      ),
      'a URL only': yes(modules({ url: { href: 'https://code.example/a.mjs', sha256: '0'.repeat(64) } })),
    },
    rejects: {
      'no source': no('spec.artifacts[0].module', '0 sources', modules({})),
      'two sources': no(
        'spec.artifacts[0].module',
        '2 sources',
        modules({ inline: 'x', configMap: { name: 'code', key: 'a.mjs' } }),
      ),
    },
  },
  ContainerWithoutArchitectures: {
    accepts: { 'two architectures': yes(aContainer({ architectures: ['amd64', 'arm64'] })) },
    rejects: {
      'none written': no(
        'spec.artifacts[0].container.architectures',
        'i:1',
        aFunction({
          artifacts: [{ name: 'n', type: 'Container', container: { image: 'i:1', contract: 'File' } }],
        }),
      ),
      'an empty list': no(
        'spec.artifacts[0].container.architectures',
        'registry.example/count-cars:1',
        aContainer({ architectures: [] }),
      ),
    },
  },
  ContainerHttpMismatch: {
    accepts: {
      'Http with its section': yes(aContainer({ contract: 'Http', http: {} })),
      'Http by default, with its section': yes(
        aFunction({
          artifacts: [
            {
              name: 'n',
              type: 'Container',
              container: { image: 'i:1', architectures: ['arm64'], http: { port: 80 } },
            },
          ],
        }),
      ),
      'Stdio without': yes(aContainer({ contract: 'Stdio' })),
      'File without': yes(aContainer({ contract: 'File' })),
    },
    rejects: {
      'Http without': no('spec.artifacts[0].container.contract', 'Http', aContainer({ contract: 'Http' })),
      'Stdio with': no('spec.artifacts[0].container.contract', 'Stdio', aContainer({ http: {} })),
    },
  },
  CpuRequestAboveLimit: {
    accepts: {
      'equal in other words': yes(
        aFunction({ resources: { requests: { cpu: 1 }, limits: { cpu: '1000m' } } }),
      ),
      less: yes(aFunction({ resources: { requests: { cpu: '0.5' }, limits: { cpu: 2 } } })),
    },
    rejects: {
      more: no(
        'spec.resources.requests.cpu',
        '1500m',
        aFunction({ resources: { requests: { cpu: '1500m' }, limits: { cpu: 1 } } }),
      ),
      'more than the default limit': no(
        'spec.resources.requests.cpu',
        '2',
        aFunction({ resources: { requests: { cpu: 2 } } }),
      ),
    },
  },
  MemoryRequestAboveLimit: {
    accepts: {
      'equal in other words': yes(
        aFunction({ resources: { requests: { memory: '1Gi' }, limits: { memory: '1024Mi' } } }),
      ),
      'binary and decimal': yes(
        aFunction({ resources: { requests: { memory: '1M' }, limits: { memory: '1Mi' } } }),
      ),
    },
    rejects: {
      'a limit below the default request': no(
        'spec.resources.requests.memory',
        '64Mi',
        aFunction({ resources: { limits: { memory: '32Mi' } } }),
      ),
      bytes: no(
        'spec.resources.requests.memory',
        '268435457',
        aFunction({ resources: { requests: { memory: 268_435_457 } } }),
      ),
    },
  },
  MinInstancesAboveMax: {
    accepts: { equal: yes(aFunction({ scaling: { minInstances: 3, maxInstances: 3 } })) },
    rejects: {
      more: no(
        'spec.scaling.minInstances',
        '4',
        aFunction({ scaling: { minInstances: 4, maxInstances: 3 } }),
      ),
      'more than the default': no(
        'spec.scaling.minInstances',
        '11',
        aFunction({ scaling: { minInstances: 11 } }),
      ),
    },
  },
  ExternalWithoutInstances: {
    accepts: { 'External with instances': yes(aFunction({ scaling: { mode: 'External', instances: 0 } })) },
    rejects: {
      'External without': no(
        'spec.scaling.instances',
        'External',
        aFunction({ scaling: { mode: 'External' } }),
      ),
    },
  },
  InstancesWithoutExternal: {
    accepts: { 'Auto without instances': yes(aFunction({ scaling: { mode: 'Auto' } })) },
    rejects: {
      'Auto with instances': no(
        'spec.scaling.instances',
        '3',
        aFunction({ scaling: { mode: 'Auto', instances: 3 } }),
      ),
      'Auto by default': no('spec.scaling.instances', '1', aFunction({ scaling: { instances: 1 } })),
    },
  },
  EnvValueTwice: {
    accepts: {
      'a value': yes(aFunction({ env: [{ name: 'LEVEL', value: 'info' }] })),
      'neither, as in a Pod': yes(aFunction({ env: [{ name: 'LEVEL' }] })),
      'a reference': yes(aFunction({ env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: secret } }] })),
    },
    rejects: {
      both: no(
        'spec.env[0].valueFrom',
        'TOKEN',
        aFunction({ env: [{ name: 'TOKEN', value: '', valueFrom: { secretKeyRef: secret } }] }),
      ),
    },
  },
  EnvSourcesNotOne: {
    accepts: {
      'a ConfigMap key': yes(aFunction({ env: [{ name: 'A', valueFrom: { configMapKeyRef: secret } }] })),
    },
    rejects: {
      neither: no('spec.env[0].valueFrom', 'neither', aFunction({ env: [{ name: 'A', valueFrom: {} }] })),
      both: no(
        'spec.env[0].valueFrom',
        'both',
        aFunction({ env: [{ name: 'A', valueFrom: { configMapKeyRef: secret, secretKeyRef: secret } }] }),
      ),
    },
  },
  EnvFromSourcesNotOne: {
    accepts: {
      'a ConfigMap': yes(aFunction({ envFrom: [{ configMapRef: { name: 'settings' } }] })),
      'a Secret with a prefix': yes(
        aFunction({ envFrom: [{ prefix: 'S_', secretRef: { name: 'settings' } }] }),
      ),
    },
    rejects: {
      neither: no('spec.envFrom[0]', 'neither', aFunction({ envFrom: [{}] })),
      both: no(
        'spec.envFrom[1]',
        'both',
        aFunction({
          envFrom: [{ secretRef: { name: 'a' } }, { configMapRef: { name: 'a' }, secretRef: { name: 'b' } }],
        }),
      ),
    },
  },
  MountOfUnknownVolume: {
    accepts: {
      'a volume of the template': yes(
        aFunction({
          volumeMounts: [{ name: 'model', mountPath: '/model', readOnly: true }],
          template: { spec: { volumes: [{ name: 'model', persistentVolumeClaim: { claimName: 'model' } }] } },
        }),
      ),
    },
    rejects: {
      'no volumes': no(
        'spec.volumeMounts[0].name',
        'model',
        aFunction({ volumeMounts: [{ name: 'model', mountPath: '/model' }] }),
      ),
      'another volume': no(
        'spec.volumeMounts[1].name',
        'model',
        aFunction({
          volumeMounts: [
            { name: 'data', mountPath: '/data' },
            { name: 'model', mountPath: '/model' },
          ],
          template: { spec: { volumes: [{ name: 'data', emptyDir: {} }] } },
        }),
      ),
    },
  },
  TolerationValueWithExists: {
    accepts: { 'Exists without a value': yes(toleration({ key: 'gpu', operator: 'Exists' })) },
    rejects: {
      'Exists with a value': no(
        'spec.template.spec.tolerations[0].value',
        'yes',
        toleration({ key: 'gpu', operator: 'Exists', value: 'yes' }),
      ),
    },
  },
  TolerationWithoutKey: {
    accepts: { 'every taint': yes(toleration({ operator: 'Exists' })) },
    rejects: {
      'Equal without a key': no(
        'spec.template.spec.tolerations[0].operator',
        'Equal',
        toleration({ value: 'yes' }),
      ),
    },
  },
  TolerationSecondsWithoutNoExecute: {
    accepts: {
      NoExecute: yes(
        toleration({ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 }),
      ),
    },
    rejects: {
      NoSchedule: no(
        'spec.template.spec.tolerations[0].effect',
        'NoSchedule',
        toleration({ key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 60 }),
      ),
    },
  },
  LabelKeyNotQualified: {
    accepts: { 'plain and prefixed': yes(labels({ team: 'roads', 'example.com/team': '' })) },
    rejects: {
      'a space': no('spec.template.metadata.labels[my team]', 'my team', labels({ 'my team': 'a' })),
      'an empty key': no('spec.template.metadata.labels[]', '', labels({ '': 'a' })),
    },
  },
  AnnotationKeyNotQualified: {
    accepts: { 'any text as a value': yes(annotations({ 'example.com/note': 'what, ever?' })) },
    rejects: {
      'two slashes': no('spec.template.metadata.annotations[a/b/c]', 'a/b/c', annotations({ 'a/b/c': 'x' })),
    },
  },
  NodeSelectorKeyNotQualified: {
    accepts: { 'a zone': yes(selector({ 'topology.kubernetes.io/zone': 'a' })) },
    rejects: {
      'a prefix in capitals': no(
        'spec.template.spec.nodeSelector[Zone.io/a]',
        'Zone.io/a',
        selector({ 'Zone.io/a': 'b' }),
      ),
    },
  },
  LabelReserved: {
    accepts: { 'a prefix that only looks like it': yes(labels({ 'sinter.developer/a': 'b' })) },
    rejects: {
      "Sinter's own prefix": no(
        'spec.template.metadata.labels[sinter.dev/unit]',
        'sinter.dev/unit',
        labels({ 'sinter.dev/unit': 'mine' }),
      ),
    },
  },
  EdgeFromUnknownFunction: {
    accepts: { 'a function of the list': yes(anEdge({})) },
    rejects: {
      'a typing error': no(
        'spec.edges[0].from',
        'ingset',
        aWorkflow({ edges: [{ from: 'ingset', to: 'count' }] }),
      ),
      'the first of two': no(
        'spec.edges[1].from',
        'a',
        aWorkflow({
          edges: [
            { from: 'ingest', to: 'count' },
            { from: 'a', to: 'count' },
            { from: 'b', to: 'count' },
          ],
        }),
      ),
    },
  },
  EdgeToUnknownFunction: {
    accepts: {
      'a service of the list': yes(
        aWorkflow({
          functions: [{ name: 'ingest' }, { name: 'billing', service: { name: 'billing', port: 80 } }],
          edges: [{ from: 'ingest', to: 'billing' }],
        }),
      ),
    },
    rejects: {
      'the name of a Function that has another name in the graph': no(
        'spec.edges[0].to',
        'count-cars',
        aWorkflow({
          functions: [{ name: 'ingest' }, { name: 'count', functionRef: { name: 'count-cars' } }],
          edges: [{ from: 'ingest', to: 'count-cars' }],
        }),
      ),
    },
  },
  TriggerToUnknownFunction: {
    accepts: { 'a function of the list': yes(aTrigger({ type: 'Http', http })) },
    rejects: {
      'no such function': no('spec.triggers[0].to', 'nobody', aTrigger({ type: 'Http', http, to: 'nobody' })),
    },
  },
  HttpTriggersClash: {
    accepts: {
      'another path': yes(twoHttp({ path: '/a' }, { path: '/b' })),
      'another method': yes(twoHttp({ methods: ['GET'] }, { methods: ['POST'] })),
      'another host': yes(twoHttp({ hosts: ['a.example'] }, { hosts: ['b.example'] })),
      'one host and every other': yes(twoHttp({ hosts: ['a.example'] }, {})),
    },
    rejects: {
      'the same path': no('spec.triggers[0].http.path', 'one', twoHttp({}, {})),
      'a host in common': no(
        'spec.triggers[0].http.path',
        'one',
        twoHttp({ hosts: ['a.example', 'b.example'] }, { hosts: ['b.example'] }),
      ),
    },
  },
  FunctionAndService: {
    accepts: {
      'a Service': yes(aWorkflow({ functions: [{ name: 'a', service: { name: 'a', port: 80 } }] })),
    },
    rejects: {
      both: no(
        'spec.functions[0].service',
        'a',
        aWorkflow({
          functions: [{ name: 'a', functionRef: { name: 'a' }, service: { name: 'a', port: 80 } }],
        }),
      ),
    },
  },
  SyncSelfEdge: {
    accepts: { 'an Async edge to itself': yes(anEdge({ from: 'count', call: 'Async' })) },
    rejects: {
      'a Sync edge to itself': no('spec.edges[0].to', 'count → count', anEdge({ from: 'count' })),
    },
  },
  DeferralOnSyncEdge: {
    accepts: { Async: yes(anEdge({ call: 'Async', deferral: { startDeadlineSeconds: 420 } })) },
    rejects: {
      Sync: no(
        'spec.edges[0].deferral',
        'ingest → count',
        anEdge({ call: 'Sync', deferral: { startDeadlineSeconds: 420 } }),
      ),
      'Sync by default': no(
        'spec.edges[0].deferral',
        'ingest → count',
        anEdge({ deferral: { startDeadlineSeconds: 420 } }),
      ),
    },
  },
  DurabilityOnSyncEdge: {
    accepts: { Async: yes(anEdge({ call: 'Async', durability: 'LocalFirst' })) },
    rejects: {
      Sync: no('spec.edges[0].durability', 'ingest → count', anEdge({ durability: 'AtLeastOnce' })),
    },
  },
  DeadLetterOnSyncEdge: {
    accepts: { Async: yes(anEdge({ call: 'Async', deadLetter: {} })) },
    rejects: { Sync: no('spec.edges[0].deadLetter', 'ingest → count', anEdge({ deadLetter: {} })) },
  },
  BackoffAboveMax: {
    accepts: {
      equal: yes(anEdge({ retry: { backoffSeconds: 60 } })),
      'the defaults': yes(anEdge({ retry: {} })),
    },
    rejects: {
      'more than the default': no(
        'spec.edges[0].retry.backoffSeconds',
        '61',
        anEdge({ retry: { backoffSeconds: 61 } }),
      ),
    },
  },
  StartDeadlineZero: {
    accepts: { 'one second': yes(anEdge({ call: 'Async', deferral: { startDeadlineSeconds: 1 } })) },
    rejects: {
      zero: no(
        'spec.edges[0].deferral.startDeadlineSeconds',
        '0',
        anEdge({ call: 'Async', deferral: { startDeadlineSeconds: 0 } }),
      ),
    },
  },
  TriggerSectionMismatch: {
    accepts: {
      Http: yes(aTrigger({ type: 'Http', http })),
      Cron: yes(aCron('0 3 * * *')),
      Nats: yes(aTrigger({ type: 'Nats', nats: { subject: 'cars.*.seen' } })),
      Coap: yes(aTrigger({ type: 'Coap', coap: { path: '/cars' } })),
      'Grpc without a section': yes(aTrigger({ type: 'Grpc' })),
      'Grpc with an empty section': yes(aTrigger({ type: 'Grpc', grpc: {} })),
      S3: yes(aTrigger({ type: 'S3', s3: { bucket: 'cars', suffix: '.jpg' } })),
      Dapr: yes(aTrigger({ type: 'Dapr', dapr: { component: 'orders', topic: 'new' } })),
      CloudEvents: yes(aTrigger({ type: 'CloudEvents', cloudEvents: { types: ['example.car'] } })),
    },
    rejects: {
      'no section': no('spec.triggers[0].type', 'Http', aTrigger({ type: 'Http' })),
      'the section of another type': no(
        'spec.triggers[0].type',
        'Cron',
        aTrigger({ type: 'Cron', nats: { subject: 'a' } }),
      ),
      'one section too many': no(
        'spec.triggers[0].type',
        'Http',
        aTrigger({ type: 'Http', http, cron: { schedule: '@daily' } }),
      ),
      'a section for Grpc that is not its own': no(
        'spec.triggers[0].type',
        'Grpc',
        aTrigger({ type: 'Grpc', coap: { path: '/a' } }),
      ),
    },
  },
  AuthSectionMismatch: {
    accepts: {
      None: yes(auth({ type: 'None' })),
      Jwt: yes(auth({ type: 'Jwt', jwt: { issuer: 'https://id.example', audiences: ['cars'] } })),
      Key: yes(auth({ type: 'Key', key: { secretRef: { name: 'keys' } } })),
    },
    rejects: {
      'Jwt without its section': no('spec.triggers[0].http.auth.type', 'Jwt', auth({ type: 'Jwt' })),
      'None with a key': no(
        'spec.triggers[0].http.auth.type',
        'None',
        auth({ type: 'None', key: { secretRef: { name: 'keys' } } }),
      ),
    },
  },
  ScheduleNotCron: {
    accepts: {
      'every night': yes(aCron('0 3 * * *', { timeZone: 'Europe/Berlin' })),
      'steps, ranges, lists and names': yes(aCron('*/5 8-17 1,15 JAN-mar,12 Mon-Fri')),
      'a word': yes(aCron('@hourly')),
      'two spaces': yes(aCron('0  3 * * 7')),
    },
    rejects: {
      'four fields': no('spec.triggers[0].cron.schedule', '0 3 * *', aCron('0 3 * *')),
      'minute 60': no('spec.triggers[0].cron.schedule', '60 3 * * *', aCron('60 3 * * *')),
      'month 13': no('spec.triggers[0].cron.schedule', '0 3 1 13 *', aCron('0 3 1 13 *')),
      'a word that cron does not know': no(
        'spec.triggers[0].cron.schedule',
        '@sometimes',
        aCron('@sometimes'),
      ),
      nothing: no('spec.triggers[0].cron.schedule', '', aCron('')),
      'a second line': no('spec.triggers[0].cron.schedule', '0 3 * * *\n', aCron('0 3 * * *\n')),
    },
  },
  SubjectReserved: {
    accepts: {
      'a subject of the user': yes(aTrigger({ type: 'Nats', nats: { subject: 'works.>' } })),
    },
    rejects: {
      'calls of others': no(
        'spec.triggers[0].nats.subject',
        'fn.other.>',
        aTrigger({ type: 'Nats', nats: { subject: 'fn.other.>' } }),
      ),
      'a leading wildcard': no(
        'spec.triggers[0].nats.subject',
        '*.cars',
        aTrigger({ type: 'Nats', nats: { subject: '*.cars' } }),
      ),
      "the server's own": no(
        'spec.triggers[0].nats.subject',
        '$JS.API.INFO',
        aTrigger({ type: 'Nats', nats: { subject: '$JS.API.INFO' } }),
      ),
    },
  },
  DaprSourcesNotOne: {
    accepts: { 'a binding': yes(aTrigger({ type: 'Dapr', dapr: { component: 'mail', binding: 'in' } })) },
    rejects: {
      neither: no(
        'spec.triggers[0].dapr',
        'neither',
        aTrigger({ type: 'Dapr', dapr: { component: 'mail' } }),
      ),
      both: no(
        'spec.triggers[0].dapr',
        'both',
        aTrigger({ type: 'Dapr', dapr: { component: 'mail', topic: 'a', binding: 'b' } }),
      ),
    },
  },
  GroupsWithoutManual: {
    accepts: {
      'Manual with groups': yes(groups({ name: 'a', functions: ['ingest', 'count'] })),
      'Manual without groups': yes(aPolicy({ fusion: { mode: 'Manual' } })),
    },
    rejects: {
      'Auto by default': no(
        'spec.fusion.mode',
        'Auto',
        aPolicy({ fusion: { groups: [{ name: 'a', functions: ['b'] }] } }),
      ),
      Off: no(
        'spec.fusion.mode',
        'Off',
        aClusterPolicy({ fusion: { mode: 'Off', groups: [{ name: 'a', functions: ['b'] }] } }),
      ),
    },
  },
  GroupsOverlap: {
    accepts: {
      'the same names in two workflows': yes(
        groups(
          { workflow: 'one', name: 'a', functions: ['x', 'y'] },
          { workflow: 'two', name: 'a', functions: ['x', 'y'] },
        ),
      ),
    },
    rejects: {
      'one function in two groups': no(
        'spec.fusion.groups[0].functions',
        'a',
        groups({ name: 'a', functions: ['x', 'y'] }, { name: 'b', functions: ['y', 'z'] }),
      ),
      'a group of every workflow beside one of one': no(
        'spec.fusion.groups[2].functions',
        'a',
        groups(
          { name: 'c', functions: ['q'] },
          { workflow: 'one', name: 'b', functions: ['x'] },
          { name: 'a', functions: ['x', 'y'] },
        ),
      ),
    },
  },
  BusyNotAboveIdle: {
    accepts: { 'a point of difference': yes(aPolicy({ deferral: { busyAbovePercent: 61 } })) },
    rejects: {
      equal: no('spec.deferral.busyAbovePercent', '60', aPolicy({ deferral: { busyAbovePercent: 60 } })),
      'a cluster policy': no(
        'spec.deferral.busyAbovePercent',
        '90',
        aClusterPolicy({ deferral: { idleBelowPercent: 95 } }),
      ),
    },
  },
  PlanNotNamedByHash: {
    accepts: { 'workflow and hash': yes(aPlan()) },
    rejects: {
      'another workflow': no('metadata.name', 'other-5f3a9c21d4', aPlan({}, 'other-5f3a9c21d4')),
      'no hash': no('metadata.name', 'traffic-latest', aPlan({}, 'traffic-latest')),
      'something between': no('metadata.name', 'traffic-2-5f3a9c21d4', aPlan({}, 'traffic-2-5f3a9c21d4')),
    },
  },
  PlanChanged: {
    accepts: {
      'a new plan': yes(aPlan()),
      'the same again': yes(aPlan(), aPlan()),
      'another status': yes({ ...aPlan(), status: { state: 'Current', sequence: 7 } }, aPlan()),
    },
    rejects: {
      'another size': no(
        'spec',
        'traffic',
        aPlan({ units: [{ ...unit, resources: { cpu: '1', memory: '256Mi' } }] }),
        aPlan(),
      ),
      'the units in another order': no(
        'spec',
        'traffic',
        aPlan({ units: [unit, { ...unit, name: 'other' }] }),
        aPlan({ units: [{ ...unit, name: 'other' }, unit] }),
      ),
      'a decision added': no(
        'spec',
        'traffic',
        aPlan({
          decisions: [
            { about: 'count', kind: 'Runtime', choice: 'wasm', reason: 'Preferred', message: 'so' },
          ],
        }),
        aPlan(),
      ),
    },
  },
};

const without = (object: Readonly<Record<string, unknown>>, key: string): unknown => {
  const { [key]: _, ...rest } = object;
  return rest;
};

/** Objects whose shape is right, some of them unusual. */
export const GOOD_SHAPES: Readonly<Record<string, Accepted>> = {
  'an empty policy': yes(aPolicy()),
  'a policy without a spec': yes(without(aPolicy(), 'spec')),
  'null where nothing was meant': yes(aFunction({ env: null, scaling: { mode: null }, trustDomain: null })),
  'an empty name of a trust domain': yes(aFunction({ trustDomain: '' })),
  'a module of 64 KiB': yes(modules({ inline: 'x'.repeat(65_536) })),
  'code points beyond 16 bits count once': yes(modules({ inline: '🚗'.repeat(65_536) })),
  'a price of nothing': yes(
    aPolicy({ price: { model: 'Provisioned', gigabyteSecond: '0', cpuSecond: '0.0' } }),
  ),
  'a pinned plan': yes(aWorkflow({ planRef: { hash: '5f3a9c21d4' } })),
  'a policy by name': yes(aWorkflow({ policyRef: { name: 'team.balanced' } })),
  'a status': yes({
    ...aWorkflow(),
    status: {
      observedGeneration: 3,
      address: { url: 'http://traffic.example/traffic' },
      plan: { current: '5f3a9c21d4', weightPercent: 5 },
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'Serving',
          message: '',
          lastTransitionTime: '2026-01-31T12:00:00Z',
          observedGeneration: 3,
        },
      ],
    },
  }),
};

const manyLabels = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, '']));

/** Objects whose shape is wrong: refused by the schema, by list types, or as unknown fields. */
export const BAD_SHAPES: Readonly<Record<string, Rejected>> = {
  'an unknown field': no('spec.timeoutSecond', '5', aFunction({ timeoutSecond: 5 })),
  'an unknown field in a list': no('spec.edges[0].retries', '3', anEdge({ retries: 3 })),
  'an unknown field in grpc': no(
    'spec.triggers[0].grpc.port',
    '1',
    aTrigger({ type: 'Grpc', grpc: { port: 1 } }),
  ),
  'no artifacts': no('spec.artifacts', '', { ...aFunction(), spec: {} }),
  'an empty list of artifacts': no('spec.artifacts', '[]', aFunction({ artifacts: [] })),
  'no spec': no('spec', '', without(aFunction(), 'spec')),
  'a duplicate artifact': no('spec.artifacts[1]', 'js', aFunction({ artifacts: [javascript, javascript] })),
  'a duplicate function': no(
    'spec.functions[1]',
    'a',
    aWorkflow({ functions: [{ name: 'a' }, { name: 'a' }] }),
  ),
  'a duplicate edge': no(
    'spec.edges[1]',
    'ingest → count',
    aWorkflow({
      edges: [
        { from: 'ingest', to: 'count' },
        { from: 'ingest', to: 'count', call: 'Async' },
      ],
    }),
  ),
  'a duplicate trigger': no(
    'spec.triggers[1]',
    'web',
    aWorkflow({
      triggers: [
        { name: 'web', to: 'ingest', type: 'Http', http },
        { name: 'web', to: 'ingest', type: 'Cron', cron: { schedule: '@daily' } },
      ],
    }),
  ),
  'a duplicate architecture': no(
    'spec.placement.architectures[1]',
    'amd64',
    aFunction({ placement: { architectures: ['amd64', 'amd64'] } }),
  ),
  'a duplicate group': no(
    'spec.fusion.groups[1]',
    ' → a',
    groups({ name: 'a', functions: ['x'] }, { name: 'a', functions: ['y'] }),
  ),
  'a trigger without auth': no(
    'spec.triggers[0].http.auth',
    '',
    aTrigger({ type: 'Http', http: { path: '/' } }),
  ),
  'a function name with a dot': no(
    'spec.functions[0].name',
    'a.b',
    aWorkflow({ functions: [{ name: 'a.b' }] }),
  ),
  'a function name of 41 characters': no(
    'spec.functions[0].name',
    'a'.repeat(41),
    aWorkflow({ functions: [{ name: 'a'.repeat(41) }] }),
  ),
  'a name that ends in a line break': no(
    'spec.functions[0].name',
    'a\n',
    aWorkflow({ functions: [{ name: 'a\n' }] }),
  ),
  'a word in other letters': no('spec.edges[0].call', 'sync', anEdge({ call: 'sync' })),
  'a number for a word': no('spec.isolation', '1', aFunction({ isolation: 1 })),
  'a word for a number': no('spec.concurrency', '8', aFunction({ concurrency: '8' })),
  'a fraction of a second': no('spec.timeoutSeconds', '0.5', aFunction({ timeoutSeconds: 0.5 })),
  'a timeout of zero': no('spec.timeoutSeconds', '0', aFunction({ timeoutSeconds: 0 })),
  'a negative deadline': no(
    'spec.edges[0].deferral.startDeadlineSeconds',
    '-1',
    anEdge({ call: 'Async', deferral: { startDeadlineSeconds: -1 } }),
  ),
  'a negative price': no('spec.price.cpuSecond', '-1', aPolicy({ price: { cpuSecond: '-1' } })),
  'a price with a comma': no('spec.price.cpuSecond', '0,5', aPolicy({ price: { cpuSecond: '0,5' } })),
  'a price as a number': no('spec.price.cpuSecond', '0.5', aPolicy({ price: { cpuSecond: 0.5 } })),
  'a negative quantity': no(
    'spec.resources.requests.cpu',
    '-1',
    aFunction({ resources: { requests: { cpu: -1 } } }),
  ),
  'a quantity with another unit': no(
    'spec.resources.limits.memory',
    '256MB',
    aFunction({ resources: { limits: { memory: '256MB' } } }),
  ),
  'a quantity with a fraction that is no string': no(
    'spec.resources.limits.cpu',
    '1.5',
    aFunction({ resources: { limits: { cpu: 1.5 } } }),
  ),
  'a module of more than 64 KiB': no(
    'spec.artifacts[0].module.inline',
    `${'x'.repeat(119)}…`,
    modules({ inline: 'x'.repeat(65_537) }),
  ),
  'too many labels': no(
    'spec.template.metadata.labels',
    `${JSON.stringify(manyLabels).slice(0, 119)}…`,
    labels(manyLabels),
  ),
  'a bare on, as YAML 1.1 reads it': no(
    'spec.edges[0].retry.true',
    '["CalleeLost"]',
    anEdge({ retry: { true: ['CalleeLost'] } }),
  ),
  'a list for an object': no('spec.scaling', '[]', aFunction({ scaling: [] })),
  'an object for a list': no('spec.edges', '{}', aWorkflow({ edges: {} })),
  'null in a list': no('spec.edges[0]', 'null', aWorkflow({ edges: [null] })),
  'a digest in capitals': no(
    'spec.artifacts[0].module.url.sha256',
    'A'.repeat(64),
    modules({ url: { href: 'https://a.example', sha256: 'A'.repeat(64) } }),
  ),
  'a time zone with spaces': no(
    'spec.triggers[0].cron.timeZone',
    'Europe / Berlin',
    aCron('@daily', { timeZone: 'Europe / Berlin' }),
  ),
  'a plan hash that is none': no('spec.planRef.hash', 'latest', aWorkflow({ planRef: { hash: 'latest' } })),
  'an unknown architecture': no(
    'spec.artifacts[0].container.architectures[0]',
    'x86_64',
    aContainer({ architectures: ['x86_64'] }),
  ),
  'a condition without a reason': no('status.conditions[0].reason', '', {
    ...aWorkflow(),
    status: {
      conditions: [
        { type: 'Ready', status: 'True', message: '', lastTransitionTime: '2026-01-31T12:00:00Z' },
      ],
    },
  }),
};
