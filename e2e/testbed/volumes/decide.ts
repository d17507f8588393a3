/** Which volumes to make and which to take away: pure, over what the API server lists. */
import { MACHINES } from '../places.ts';

export const STORAGE_CLASS = 'testbed';
export const PROVISIONER = 'testbed.sinter.dev/local';
/** On a machine; `places.ts` gives every machine a /var/lib of its own. */
export const VOLUMES_FOLDER = '/var/lib/testbed-volumes';
const SELECTED = 'volume.kubernetes.io/selected-node';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';

export interface Claim {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly storageClassName?: string;
    readonly volumeName?: string;
    readonly accessModes?: readonly string[];
    readonly volumeMode?: string;
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
}

export interface Volume {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly local?: { readonly path: string }; readonly nodeAffinity?: unknown };
  readonly status?: { readonly phase?: string };
}

export interface Making {
  readonly machine: string;
  readonly path: string;
  readonly object: object;
}

export interface Decision {
  readonly make: readonly Making[];
  /** Released: their claims are gone. */
  readonly drop: readonly { readonly name: string; readonly path: string }[];
}

/** A claim gets its volume on the machine that the scheduler has chosen for its pod. */
export function decide(claims: readonly Claim[], volumes: readonly Volume[]): Decision {
  const made = new Set(volumes.map((v) => v.metadata.name));
  return {
    make: claims.filter(waits).flatMap((claim) => {
      const machine = claim.metadata.annotations?.[SELECTED] ?? '';
      const name = `testbed-${claim.metadata.uid}`;
      const known = MACHINES.some((m) => m.name === machine);
      return !known || made.has(name) ? [] : [makingOf(claim, name, machine)];
    }),
    drop: volumes.filter(isReleased).map((v) => ({ name: v.metadata.name, path: v.spec.local?.path ?? '' })),
  };
}

const waits = ({ metadata, spec }: Claim): boolean =>
  spec.storageClassName === STORAGE_CLASS &&
  (spec.volumeName ?? '') === '' &&
  metadata.deletionTimestamp === undefined;

const isReleased = ({ metadata, status }: Volume): boolean =>
  metadata.annotations?.[PROVISIONED_BY] === PROVISIONER && status?.phase === 'Released';

function makingOf({ metadata, spec }: Claim, name: string, machine: string): Making {
  const path = `${VOLUMES_FOLDER}/${name}`;
  const { namespace, name: claimName, uid } = metadata;
  const onMachine = { key: 'kubernetes.io/hostname', operator: 'In', values: [machine] };
  const object = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { [PROVISIONED_BY]: PROVISIONER } },
    spec: {
      storageClassName: STORAGE_CLASS,
      capacity: { storage: spec.resources?.requests?.storage ?? '1Gi' },
      accessModes: spec.accessModes ?? ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claimName, uid },
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [onMachine] }] } },
    },
  };
  return { machine, path, object };
}
