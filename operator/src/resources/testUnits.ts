/** Units for tests: planned from valid manifests, with the settings of a small cluster. */
import { applicationOf, NAMESPACE } from '../model/testApplication.ts';
import { plan } from '../planner/planner.ts';
import type { Plan, PlanUnit } from '../planner/plan.ts';
import { configMapsIn } from '../snapshot/gather.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { manifestsOf, snapshotOf } from '../snapshot/testSnapshot.ts';
import type { World } from '../snapshot/testSnapshot.ts';
import type { PodSettings } from './podSettings.ts';
import { unitObjects } from './unitObjects.ts';
import type { CredentialNote, UnitObjects, UnitWorld } from './unitObjects.ts';

export const SETTINGS: PodSettings = {
  image: 'registry.example/sinter:1',
  pullPolicy: 'IfNotPresent',
  hub: ['tls://sinter-nats.sinter-system.svc:4222'],
  leaf: { port: 4222, tls: true, serverName: 'sinter-nats-leaf' },
  insecureRegistries: [],
};

export const CREDENTIAL: CredentialNote = {
  publicKey: 'UABCDEF',
  expiresAtMs: Date.UTC(2026, 1, 28, 12),
};

export interface Planned {
  readonly snapshot: Snapshot;
  readonly plan: Plan;
  readonly world: UnitWorld;
  readonly objectsOf: (unit: PlanUnit) => UnitObjects;
  /** Of the unit with this function. */
  readonly objects: (fn: string) => UnitObjects;
}

export function planned(of: World, settings: Partial<PodSettings> = {}): Planned {
  const snapshot = snapshotOf(of);
  const made = plan(snapshot);
  const world: UnitWorld = {
    snapshot,
    owner: { namespace: NAMESPACE, name: 'flow', uid: '00000000-0000-0000-0000-000000000001' },
    settings: { ...SETTINGS, ...settings },
    configMaps: configMapsIn(applicationOf(...manifestsOf(of)), NAMESPACE),
  };
  const objectsOf = (unit: PlanUnit): UnitObjects => unitObjects(unit, CREDENTIAL, world);
  return {
    snapshot,
    plan: made,
    world,
    objectsOf,
    objects: (fn) => {
      const unit = made.units.find((u) => u.functions.includes(fn));
      if (!unit) throw new Error(`no unit with ${fn}`);
      return objectsOf(unit);
    },
  };
}
