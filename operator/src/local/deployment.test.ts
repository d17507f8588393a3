/** Steps from one revision to the next at the moments at which they meet each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONTRACT_VERSION } from '@sinter/contract';
import type { InstanceKey, RouteRecord, WorkflowKey } from '@sinter/contract';
import { Deployment } from './deployment.ts';
import type { DeploymentPorts, Target, UnitTarget } from './deployment.ts';
import type { Fleet } from './fleet.ts';
import { Reports } from '../bus/reports.ts';

const W: WorkflowKey = { namespace: 'ns', workflow: 'wf' };
const at = { version: CONTRACT_VERSION, machine: 'm', architecture: 'amd64' };

function unitTarget(unit: string): UnitTarget {
  const scope = { ...W, unit, functions: [`f-${unit}`], edges: [], asyncFunctions: [] };
  return { scope, places: [{ machine: 'm', architecture: 'amd64', servers: [] }], environments: {} };
}

function target(hash: string, units: readonly string[], timeoutSeconds = 1): Target {
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
class World {
  readonly reports = new Reports();
  readonly running = new Map<string, InstanceKey>();
  readonly graces: Record<string, number> = {};
  readonly held = { provide: Promise.resolve(), end: Promise.resolve() };
  route: RouteRecord | undefined;
  refuseWrites = false;
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
        if (this.refuseWrites) return Promise.reject(new Error('the bus is away'));
        this.route = route;
        this.#announceAll();
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
        running.set(key.instance, key);
        this.#announceAll();
      },
      stop: async (graceMs: number) => {
        graces[key.unit] = graceMs;
        await held.end;
        running.delete(key.instance);
      },
    };
    return fleet as unknown as Fleet;
  }

  #announceAll(): void {
    const { route } = this;
    if (!route) return;
    const revisions = Object.keys(route.revisions);
    const seen = {
      windowMs: 1,
      routeGeneration: route.generation,
      roots: {},
      functions: [],
      edges: [],
      memoryBytes: 1,
    };
    for (const key of this.running.values()) {
      this.reports.announced({ ...key, ...at, state: 'Serving', revisions });
      this.reports.observed({ ...key, ...at, ...seen });
    }
  }

  get units(): readonly string[] {
    return [...this.running.values()].map((k) => k.unit).sort();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    if (i > 1000) throw new Error(`never: ${what}`);
    await turn();
  }
}

describe('a change of plan', () => {
  it('back to a revision whose units are just ending starts all of them again', async () => {
    const world = new World();
    const { deployment } = world;
    await deployment.deploy(target('a', ['one', 'two']));
    const ending = Promise.withResolvers<undefined>();
    world.held.end = ending.promise.then(() => undefined);
    await deployment.deploy(target('b', ['three']));
    await until('the first unit ends', () => Object.keys(world.graces).length === 1);
    const provided = Promise.withResolvers<undefined>();
    world.held.provide = provided.promise.then(() => undefined);
    const back = deployment.deploy(target('a', ['one', 'two']));
    ending.resolve(undefined);
    await until('both units have ended', () => world.units.length === 1);
    provided.resolve(undefined);
    assert.equal((await back).ok, true);
    assert.deepEqual(
      world.units.filter((u) => u !== 'three'),
      ['one', 'two'],
    );
  });

  it('that could not be written leaves what ran, and can be made later', async () => {
    const world = new World();
    const { deployment } = world;
    await deployment.deploy(target('a', ['one']));
    world.refuseWrites = true;
    await assert.rejects(deployment.deploy(target('b', ['two'])), /the bus is away/);
    assert.deepEqual(deployment.current?.hash, 'a');
    world.refuseWrites = false;
    const again = await deployment.deploy(target('b', ['two']));
    assert.deepEqual([again.ok, again.started], [true, ['two']]);
    assert.equal(world.route?.current, 'b');
  });

  it('whose last write failed is written when it is asked for again', async () => {
    const world = new World();
    const { deployment } = world;
    await deployment.deploy(target('a', ['one']));
    world.onCurrent = (current) => {
      world.refuseWrites = current === 'b';
    };
    await assert.rejects(deployment.deploy(target('b', ['two'])), /the bus is away/);
    assert.equal(world.route?.current, 'a');
    world.onCurrent = () => undefined;
    world.refuseWrites = false;
    assert.equal((await deployment.deploy(target('b', ['two']))).ok, true);
    assert.equal(world.route.current, 'b');
  });

  it('is over with the run, also where units are still ending', async () => {
    const world = new World();
    const { deployment } = world;
    await deployment.deploy(target('a', ['one'], 120));
    const ending = Promise.withResolvers<undefined>();
    world.held.end = ending.promise.then(() => undefined);
    await deployment.deploy(target('b', ['two']));
    await until('the unit ends', () => 'one' in world.graces);
    const stopped = deployment.stop(1);
    assert.equal(world.graces['one'], 1);
    ending.resolve(undefined);
    await stopped;
  });

  it('gives a unit that ends as long as its longest call may take', async () => {
    const world = new World();
    await world.deployment.deploy(target('a', ['one'], 120));
    await world.deployment.deploy(target('b', ['two'], 1));
    await until('the unit ends', () => 'one' in world.graces);
    assert.ok((world.graces['one'] ?? 0) >= 120_000, `${String(world.graces['one'])} ms`);
  });
});
