/** What a Function must be beyond the shape of its fields. Owns the table; `rule.ts` has the meaning of a row. */
import { DNS_LABEL, NAME_MAX } from '../schema/parts.ts';
import { quantityValue } from '../quantity.ts';
import type {
  Artifact,
  ContainerSource,
  EnvFromSource,
  EnvVar,
  FunctionObject,
  FunctionScaling,
  FunctionSpec,
  ModuleSource,
  PodTemplate,
  Resources,
} from '../types.ts';
import { must, rulesAt, type Rule } from './rule.ts';

const KIND = ['Function'] as const;

/** Name or prefix/name, as Kubernetes has it for keys of labels and annotations. */
const QUALIFIED_NAME =
  '^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$';

const named = (name: string): boolean => new RegExp(DNS_LABEL).test(name) && name.length <= NAME_MAX;

/** The rule on `metadata.name`, shared with Workflow. */
export const nameRules = rulesAt<FunctionObject>(['Function', 'Workflow'], '', [
  {
    name: 'NameNoLabel',
    rule: `self.metadata.name.matches('${DNS_LABEL}') && size(self.metadata.name) <= ${NAME_MAX}`,
    given: 'self.metadata.name',
    message:
      'must be a `metadata.name` that is a DNS label of at most 40 characters: lower-case letters, digits and ' +
      "'-', no dots, because it becomes a token of a subject",
    find: ({ metadata }) => must(named(metadata.name), metadata.name, 'metadata', 'name'),
  },
]);

const artifactRules = rulesAt<Artifact>(KIND, 'spec.artifacts[]', [
  {
    name: 'ArtifactSectionMismatch',
    rule: "(self.type == 'Container') == has(self.container) && (self.type != 'Container') == has(self.module)",
    given: 'self.type',
    message:
      'must come with the section of its `type` and no other: `container` for Container, `module` for ' +
      'JavaScript and Wasm',
    find: ({ type, module, container }) => {
      const wanted = type === 'Container';
      return must(wanted === (container !== undefined) && wanted === (module === undefined), type, 'type');
    },
  },
]);

const sourcesOf = (module: ModuleSource): number =>
  [module.inline, module.configMap, module.image, module.url].filter((one) => one !== undefined).length;

const moduleRules = rulesAt<ModuleSource>(KIND, 'spec.artifacts[].module', [
  {
    name: 'ModuleSourcesNotOne',
    rule: '[has(self.inline), has(self.configMap), has(self.image), has(self.url)].exists_one(set, set)',
    given:
      "'{} sources'.replace('{}', string([has(self.inline), has(self.configMap), has(self.image), has(self.url)].filter(set, set).size()))",
    message:
      'must be exactly one source: set one of `inline`, `configMap`, `image`, `url` and leave out the others',
    find: (module) => must(sourcesOf(module) === 1, `${sourcesOf(module)} sources`),
  },
]);

const containerRules = rulesAt<ContainerSource>(KIND, 'spec.artifacts[].container', [
  {
    name: 'ContainerWithoutArchitectures',
    rule: 'size(self.architectures) > 0',
    given: 'self.image',
    message:
      "must come with `architectures`: list each machine architecture that the image runs on, like ['amd64', 'arm64']",
    find: ({ architectures, image }) => must(architectures.length > 0, image, 'architectures'),
  },
  {
    name: 'ContainerHttpMismatch',
    rule: "(self.contract == 'Http') == has(self.http)",
    given: 'self.contract',
    message:
      'must fit the section `http`: the contract Http needs it (`http: {}` takes port 8080 and path /), Stdio ' +
      'and File must not have it',
    find: ({ contract, http }) => must((contract === 'Http') === (http !== undefined), contract, 'contract'),
  },
]);

const resourceRules = rulesAt<Resources>(KIND, 'spec.resources', [
  {
    name: 'CpuRequestAboveLimit',
    rule: 'quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0',
    given: 'string(self.requests.cpu)',
    message:
      'must be a `requests.cpu` of at most `limits.cpu`: lower the request or raise the limit; a request that is ' +
      'not written is 100m',
    find: ({ requests, limits }) =>
      must(quantityValue(requests.cpu) <= quantityValue(limits.cpu), requests.cpu, 'requests', 'cpu'),
  },
  {
    name: 'MemoryRequestAboveLimit',
    rule: 'quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0',
    given: 'string(self.requests.memory)',
    message:
      'must be a `requests.memory` of at most `limits.memory`: lower the request or raise the limit; a request ' +
      'that is not written is 64Mi',
    find: ({ requests, limits }) =>
      must(
        quantityValue(requests.memory) <= quantityValue(limits.memory),
        requests.memory,
        'requests',
        'memory',
      ),
  },
]);

const scalingRules = rulesAt<FunctionScaling>(KIND, 'spec.scaling', [
  {
    name: 'MinInstancesAboveMax',
    rule: 'self.minInstances <= self.maxInstances',
    given: 'string(self.minInstances)',
    message: 'must be a `minInstances` of at most `maxInstances`: lower the one or raise the other',
    find: ({ minInstances, maxInstances }) =>
      must(minInstances <= maxInstances, minInstances, 'minInstances'),
  },
  {
    name: 'ExternalWithoutInstances',
    rule: "self.mode != 'External' || has(self.instances)",
    given: 'self.mode',
    message:
      'must come with `instances`: the number to start with, until the autoscaler writes another through /scale',
    find: ({ mode, instances }) => must(mode !== 'External' || instances !== undefined, mode, 'instances'),
  },
  {
    name: 'InstancesWithoutExternal',
    rule: "self.mode == 'External' || !has(self.instances)",
    given: 'string(self.instances)',
    message:
      "must not be specified in `instances` when `mode` is 'Auto': leave it out, or set `mode: External` to " +
      'choose the number yourself',
    find: ({ mode, instances }) =>
      must(mode === 'External' || instances === undefined, instances ?? '', 'instances'),
  },
]);

const envRules = rulesAt<EnvVar>(KIND, 'spec.env[]', [
  {
    name: 'EnvValueTwice',
    rule: '!has(self.value) || !has(self.valueFrom)',
    given: 'self.name',
    message: 'must have `value` or `valueFrom`, not both: remove one',
    find: ({ name, value, valueFrom }) =>
      must(value === undefined || valueFrom === undefined, name, 'valueFrom'),
  },
]);

const envSourceRules = rulesAt<NonNullable<EnvVar['valueFrom']>>(KIND, 'spec.env[].valueFrom', [
  {
    name: 'EnvSourcesNotOne',
    rule: 'has(self.secretKeyRef) != has(self.configMapKeyRef)',
    given: "has(self.secretKeyRef) ? 'both' : 'neither'",
    message: 'must be exactly one of `secretKeyRef` and `configMapKeyRef`',
    find: ({ secretKeyRef, configMapKeyRef }) =>
      must(
        (secretKeyRef === undefined) !== (configMapKeyRef === undefined),
        secretKeyRef ? 'both' : 'neither',
      ),
  },
]);

const envFromRules = rulesAt<EnvFromSource>(KIND, 'spec.envFrom[]', [
  {
    name: 'EnvFromSourcesNotOne',
    rule: 'has(self.configMapRef) != has(self.secretRef)',
    given: "has(self.secretRef) ? 'both' : 'neither'",
    message: 'must be exactly one of `configMapRef` and `secretRef`',
    find: ({ configMapRef, secretRef }) =>
      must((configMapRef === undefined) !== (secretRef === undefined), secretRef ? 'both' : 'neither'),
  },
]);

const unknownVolume = 'self.volumeMounts.filter(m, !self.template.spec.volumes.exists(v, v.name == m.name))';

const specRules = rulesAt<FunctionSpec>(KIND, 'spec', [
  {
    name: 'MountOfUnknownVolume',
    rule: 'self.volumeMounts.all(m, self.template.spec.volumes.exists(v, v.name == m.name))',
    given: `${unknownVolume}[0].name`,
    message:
      'must be a volume of `template.spec.volumes`: add the volume there or correct the name of the mount',
    find: ({ volumeMounts, template }) =>
      volumeMounts.flatMap(({ name }, i) =>
        must(
          template.spec.volumes.some((volume) => volume.name === name),
          name,
          'volumeMounts',
          i,
          'name',
        ),
      ),
  },
]);

type Toleration = PodTemplate['spec']['tolerations'][number];

const tolerationRules = rulesAt<Toleration>(KIND, 'spec.template.spec.tolerations[]', [
  {
    name: 'TolerationValueWithExists',
    rule: "self.operator != 'Exists' || self.value == ''",
    given: 'self.value',
    message:
      "must not be specified when `operator` is 'Exists', which takes every value: leave it out or use 'Equal'",
    find: ({ operator, value }) => must(operator !== 'Exists' || value === '', value, 'value'),
  },
  {
    name: 'TolerationWithoutKey',
    rule: "self.key != '' || self.operator == 'Exists'",
    given: 'self.operator',
    message:
      "must be 'Exists' when `key` is empty: name the key of the taint, or use 'Exists' for every taint",
    find: ({ key, operator }) => must(key !== '' || operator === 'Exists', operator, 'operator'),
  },
  {
    name: 'TolerationSecondsWithoutNoExecute',
    rule: "!has(self.tolerationSeconds) || self.effect == 'NoExecute'",
    given: 'self.effect',
    message: "must be 'NoExecute' when `tolerationSeconds` is set: only such a taint ends pods that run",
    find: ({ tolerationSeconds, effect }) =>
      must(tolerationSeconds === undefined || effect === 'NoExecute', effect, 'effect'),
  },
]);

type StringMap = Readonly<Record<string, string>>;

/** Every key that is no qualified name; CEL names one of them, in no certain order. */
const badKeys = (map: StringMap) =>
  Object.keys(map).flatMap((key) => must(new RegExp(QUALIFIED_NAME).test(key), key, key));

const keyRule = (path: string, name: string) =>
  rulesAt<StringMap>(KIND, path, [
    {
      name,
      rule: `self.all(key, key.matches('${QUALIFIED_NAME}'))`,
      given: `self.filter(key, !key.matches('${QUALIFIED_NAME}'))[0]`,
      message:
        "must be a key like 'name' or 'example.com/name': letters, digits, '-', '_' and '.', at most 63 " +
        'characters after the slash',
      find: badKeys,
    },
  ]);

const keyRules = [
  ...keyRule('spec.template.metadata.labels', 'LabelKeyNotQualified'),
  ...keyRule('spec.template.metadata.annotations', 'AnnotationKeyNotQualified'),
  ...keyRule('spec.template.spec.nodeSelector', 'NodeSelectorKeyNotQualified'),
];

const labelRules = rulesAt<StringMap>(KIND, 'spec.template.metadata.labels', [
  {
    name: 'LabelReserved',
    rule: "self.all(key, !key.startsWith('sinter.dev/'))",
    given: "self.filter(key, key.startsWith('sinter.dev/'))[0]",
    message: "must not start with 'sinter.dev/': such labels are set by Sinter; choose a prefix of your own",
    find: (labels) => Object.keys(labels).flatMap((key) => must(!key.startsWith('sinter.dev/'), key, key)),
  },
]);

export const functionRules: readonly Rule[] = [
  ...specRules,
  ...artifactRules,
  ...moduleRules,
  ...containerRules,
  ...resourceRules,
  ...scalingRules,
  ...envRules,
  ...envSourceRules,
  ...envFromRules,
  ...tolerationRules,
  ...keyRules,
  ...labelRules,
];
