/**
 * The bus's view of Sinter's own namespace in a cluster: Secrets, and the pods of servers and gateways.
 *
 * Owns: the translation, nothing else. Secrets are read one by one: the namespace also holds large ones that are not ours.
 */
import type { KubeClient } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { KINDS } from '../kube/objects.ts';
import type { Pod, Secret } from '../kube/objects.ts';
import type { BusPod, SecretStore } from './bus.ts';
import type { SecretWrite, StoredSecret } from './busSecrets.ts';

const MANAGER = 'sinter-bus';

const ROLES = { 'nats-hub': 'hub', 'nats-leaf': 'leaf', gateway: 'gateway' } as const;
/** Of every server of the chart. */
const CLIENT_PORT = 4222;
const COMPONENT = 'app.kubernetes.io/component';

/** Selects the pods that `busPodOf` reads; for a watch of Sinter's namespace. */
export const BUS_PODS = `${COMPONENT} in (${Object.keys(ROLES).join(',')})`;

/** Undefined while it does not run, and for every other pod. */
export function busPodOf({ metadata, status }: Pod): BusPod | undefined {
  const component = metadata.labels?.[COMPONENT] ?? '';
  const role = Object.entries(ROLES).find(([name]) => name === component)?.[1];
  const ip = status?.podIP ?? '';
  if (!role || ip === '' || status?.phase !== 'Running' || metadata.deletionTimestamp !== undefined)
    return undefined;
  const starts = (status.containerStatuses ?? []).map((c) => `${c.name}:${String(c.restartCount)}`);
  const incarnation = [metadata.uid ?? '', ...starts.sort()].join(' ');
  return { role, name: metadata.name, ip, port: CLIENT_PORT, incarnation };
}

/** A client `under` the leader's lease writes nothing after it was lost. */
export function secretStore(client: KubeClient, namespace: string): SecretStore {
  return {
    read: async (name) => {
      const found = await client.find(KINDS.secrets, { namespace, name });
      return found && decoded(found);
    },
    write: async (secret) => {
      try {
        await (secret.over === undefined
          ? create(client, namespace, secret)
          : change(client, namespace, secret));
        return 'Written';
      } catch (cause) {
        // Deleted in between: the next round sees that.
        if (isAlreadyExists(cause) || isConflict(cause) || isNotFound(cause)) return 'Conflict';
        throw cause;
      }
    },
  };
}

const create = (client: KubeClient, namespace: string, secret: SecretWrite): Promise<Secret> =>
  client.create(
    KINDS.secrets,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: secret.name,
        namespace,
        labels: LABELS,
        annotations: secret.annotations,
      },
      type: secret.type,
      immutable: secret.immutable,
      data: encoded(secret.data),
    },
    { fieldManager: MANAGER },
  );

/** Only what is ours in it, and only over the version that was seen. */
const change = (client: KubeClient, namespace: string, secret: SecretWrite): Promise<Secret> =>
  client.merge(
    KINDS.secrets,
    { namespace, name: secret.name },
    {
      metadata: { resourceVersion: secret.over, annotations: secret.annotations },
      data: encoded(secret.data),
    },
    { fieldManager: MANAGER },
  );

const LABELS = {
  'app.kubernetes.io/name': 'sinter',
  'app.kubernetes.io/component': 'bus',
  'app.kubernetes.io/managed-by': 'sinter',
};

const encoded = (data: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  mapValues(data, (text) => Buffer.from(text, 'utf8').toString('base64'));

const decoded = ({ metadata, data }: Secret): StoredSecret => ({
  resourceVersion: metadata.resourceVersion ?? '',
  data: mapValues(data ?? {}, (text) => Buffer.from(text, 'base64').toString('utf8')),
  annotations: metadata.annotations ?? {},
});

const mapValues = (
  from: Readonly<Record<string, string>>,
  to: (value: string) => string,
): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value)]));
