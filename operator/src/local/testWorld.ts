/** Deployments for tests: processes that do at once as the route says, on no machine at all. */
import { CONTRACT_VERSION } from '@sinter/contract';
import type { InstanceKey, RouteRecord, WorkflowKey } from '@sinter/contract';
import { Deployment } from './deployment.ts';
import type { DeploymentPorts, Target, UnitTarget } from './deployment.ts';
import type { Fleet } from './fleet.ts';
import { Reports } from '../bus/reports.ts';

export const W: WorkflowKey = { namespace: 'ns', workflow: 'wf' };
const at = { version: CONTRACT_VERSION, machine: 'm', architecture: 'amd64' };

function unitTarget(unit: string): UnitTarget {
  const scope = { ...W, unit, functions: [`f-${unit}`], edges: [], asyncFunctions: [] };
  const places = [{ machine: 'm', architecture: 'amd64', servers: [] }];
  return { scope, cpuMillis: 100, places, environments: {} };
}

export function target(hash: string, units: readonly string[], timeoutSeconds = 1): Target {
  const fn = (unit: string) => ({
    name: `f-${unit}`,
    served: true,
    async: false,
    concurrency: 1,
    timeoutSeconds,
    memoryBytes: 1,
    artifacts: [],
  });
  return {
    hash,
    revision: { units: units.map((u) => ({ name: u, functions: [fn(u)] })), edges: [] },
    units: units.map((u) => unitTarget(u)),
    entry: {
      ...W,
      version: CONTRACT_VERSION,
      expose: 'All',
      functions: [],
      triggers: [],
      suspended: false,
    } as never,
    modules: new Map(),
  };
}

/** Processes that do at once as the route says; what a real one needs tens of milliseconds for can be held. */
export class World {
  readonly reports = new Reports();
  readonly running = new Map<string, InstanceKey>();
  readonly started: string[] = [];
  readonly graces: Record<string, number> = {};
  readonly held = { provide: Promise.resolve(), end: Promise.resolve() };
  route: RouteRecord | undefined;
  readonly routes: RouteRecord[] = [];
  refuseWrites = false;
  /** Units that cannot start; *: any that has not served before. */
  readonly broken = new Set<string>();
  readonly serving = new Set<string>();
  /** Roots that run, by revision. */
  roots: Readonly<Record<string, number>> = {};
  onCurrent: (current: string) => void = () => undefined;
  #instances = 0;

  readonly deployment = new Deployment(W, this.#ports());

  #ports(): DeploymentPorts {
    return {
      reports: this.reports,
      putModule: () => Promise.resolve(),
      provide: () => this.held.provide,
      writeRoute: (route) => {
        this.onCurrent(route.current);
        this.routes.push(route);
        if (this.refuseWrites) return Promise.reject(new Error('the bus is away'));
        this.route = route;
        this.announceAll();
        return Promise.resolve();
      },
      writeEntry: () => Promise.resolve(),
      remove: () => Promise.resolve(),
      newFleet: (unit) => this.#fleet(unit),
      retire: () => undefined,
      entries: () => [],
      onLog: () => undefined,
    };
  }

  #fleet(unit: UnitTarget): Fleet {
    const { running, graces, held } = this;
    const key: InstanceKey = { ...W, unit: unit.scope.unit, instance: `i${String(++this.#instances)}` };
    const fleet = {
      scope: unit.scope,
      size: 1,
      failures: 0,
      get instances() {
        return running.get(key.instance) ? [key] : [];
      },
      start: () => {
        this.started.push(key.unit);
        running.set(key.instance, key);
        this.announceAll();
      },
      stop: async (graceMs: number) => {
        graces[key.unit] = graceMs;
        await held.end;
        running.delete(key.instance);
      },
    };
    return fleet as unknown as Fleet;
  }

  announceAll(): void {
    const { route } = this;
    if (!route) return;
    const revisions = Object.keys(route.revisions);
    const seen = {
      windowMs: 1,
      routeGeneration: route.generation,
      roots: this.roots,
      functions: [],
      edges: [],
      memoryBytes: 1,
    };
    for (const key of this.running.values()) {
      const isBroken = this.broken.has(key.unit) || (this.broken.has('*') && !this.serving.has(key.unit));
      const state = isBroken ? 'Failed' : 'Serving';
      if (!isBroken) this.serving.add(key.unit);
      this.reports.announced({ ...key, ...at, state, revisions });
      this.reports.observed({ ...key, ...at, ...seen });
    }
  }

  get units(): readonly string[] {
    return [...this.running.values()].map((k) => k.unit).sort();
  }
}

export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    if (i > 1000) throw new Error(`never: ${what}`);
    await turn();
  }
}
