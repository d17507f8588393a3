/**
 * What the host in a pod is told, as variables of its container.
 *
 * Owns: the bootstrap and what stands beside it. Its neighbours: `@sinter/bus` reads it (`bootstrap.ts`), the contract spells
 * what a host pulls images with, `unitEnvironment.ts` says what functions see.
 * Invariants:
 *  1. No secret stands in a pod: those are references to the unit's own Secrets and to the user's.
 *  2. A unit that pulls no image gets no pull secret: code in a unit can read its environment.
 */
import { INSECURE_REGISTRIES, pullVariable } from '@sinter/contract';
import type { Architecture } from '../model/nouns.ts';
import type { PlanUnit } from '../planner/plan.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { seedSecretName } from './hashes.ts';
import type { EnvVar } from './kubernetes.ts';
import { HEALTH_PORT } from './podSettings.ts';
import type { PodSettings } from './podSettings.ts';
import { unitScope } from './routes.ts';

export interface HostOptions {
  readonly unit: PlanUnit;
  /** The unit's name, which is that of its token's Secret too. */
  readonly name: string;
  /** Those of its pods. */
  readonly architectures: readonly Architecture[];
  readonly snapshot: Snapshot;
  readonly settings: PodSettings;
}

/** Later variables may refer to earlier ones, so the order matters. */
export function hostEnvironment(options: HostOptions): readonly EnvVar[] {
  const { name, settings } = options;
  return [
    ...(settings.leaf ? [field('SINTER_HOST_IP', 'status.hostIP')] : []),
    field('SINTER_MACHINE', 'spec.nodeName'),
    field('SINTER_INSTANCE', 'metadata.name'),
    ofSecret('SINTER_JWT', name, 'jwt'),
    ofSecret('SINTER_SEED', seedSecretName(name), 'seed'),
    ...(usesTls(settings) ? [ofSecret('SINTER_BUS_CA', name, 'ca.crt')] : []),
    { name: 'SINTER_BOOTSTRAP', value: bootstrap(options) },
    { name: 'SINTER_HEALTH_PORT', value: String(HEALTH_PORT) },
    ...(pullsImages(options) ? pullVariables(options) : []),
  ];
}

const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });

const ofSecret = (variable: string, name: string, key: string): EnvVar => ({
  name: variable,
  valueFrom: { secretKeyRef: { name, key } },
});

const usesTls = ({ hub, leaf }: PodSettings): boolean =>
  leaf?.tls === true || hub.some((url) => url.startsWith('tls://'));

/** JSON in which the kubelet fills in what only it knows; everything else in it is a name without a `$`. */
function bootstrap({ unit, snapshot, settings }: HostOptions): string {
  const { namespace, workflow, unit: name, functions } = unitScope(unit, snapshot);
  const { hub, leaf } = settings;
  const nearest = leaf ? [`${leaf.tls ? 'tls' : 'nats'}://$(SINTER_HOST_IP):${String(leaf.port)}`] : [];
  return JSON.stringify({
    servers: [...nearest, ...hub],
    ...(leaf?.tls ? { leafServerName: leaf.serverName } : {}),
    machine: '$(SINTER_MACHINE)',
    instance: '$(SINTER_INSTANCE)',
    unit: { namespace, workflow, unit: name },
    functions,
  });
}

/** Does one of its functions run a module out of an image, on any of these architectures? */
const pullsImages = ({ unit, architectures, snapshot }: HostOptions): boolean =>
  unit.variants
    .filter((variant) => architectures.includes(variant.architecture))
    .flatMap((variant) => variant.artifacts)
    .some(({ function: fn, artifact }) => {
      const found = snapshot.functions.find((f) => f.name === fn);
      return found?.artifacts.find((a) => a.name === artifact)?.source === 'Image';
    });

/** Under which key a Secret of type kubernetes.io/dockerconfigjson keeps what it is for. */
const PULL_KEY = '.dockerconfigjson';

/** As a kubelet that pulls: a pull secret that is not there is none. */
function pullVariables({ unit, snapshot, settings }: HostOptions): readonly EnvVar[] {
  const first = snapshot.functions.find((fn) => fn.name === unit.functions[0]);
  const { insecureRegistries } = settings;
  return [
    ...(first?.spec.template.spec.imagePullSecrets ?? []).map(({ name }, i): EnvVar => ({
      name: pullVariable(i + 1),
      valueFrom: { secretKeyRef: { name, key: PULL_KEY, optional: true } },
    })),
    ...(insecureRegistries.length > 0
      ? [{ name: INSECURE_REGISTRIES, value: insecureRegistries.join(',') }]
      : []),
  ];
}
