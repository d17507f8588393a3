/** What instances say, valid unless told otherwise. */
import { CONTRACT_VERSION } from '@sinter/contract';
import type { Announcement, InstanceKey, Observation } from '@sinter/contract';

const keyOf = ({ namespace, workflow, unit, instance }: InstanceKey): InstanceKey => ({
  namespace,
  workflow,
  unit,
  instance,
});

export const observation = (key: InstanceKey, more: Partial<Observation> = {}): Observation => ({
  ...keyOf(key),
  version: CONTRACT_VERSION,
  machine: 'm1',
  architecture: 'amd64',
  windowMs: 1000,
  routeGeneration: 1,
  roots: {},
  functions: [],
  edges: [],
  memoryBytes: 0,
  ...more,
});

export const announcement = (key: InstanceKey, more: Partial<Announcement> = {}): Announcement => ({
  ...keyOf(key),
  version: CONTRACT_VERSION,
  machine: 'm1',
  architecture: 'amd64',
  state: 'Serving',
  revisions: [],
  ...more,
});
