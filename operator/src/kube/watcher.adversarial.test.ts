/**
 * The watcher and the store against a model of a server that fails whenever it likes: whatever happens in between, in the
 * end the copy is what the server has, and who followed the changes has it too.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyOf, type KubeObject } from './objects.ts';
import { newStore, type Change } from './store.ts';
import { configMap, status } from './testServer.ts';
import {
  idle,
  step,
  type WatchEffect,
  type WatchEvent,
  type WatchInput,
  type WatchState,
} from './watcher.ts';

interface Noted {
  readonly version: number;
  readonly type: string;
  readonly object: KubeObject;
}

/** A collection with a history, of which it forgets the beginning when it is told to. */
class Server {
  readonly objects = new Map<string, KubeObject>();
  #version = 100;
  #serial = 0;
  #forgotten = 0;
  readonly #history: Noted[] = [];

  write(name: string): void {
    const key = `default/${name}`;
    const known = this.objects.get(key);
    this.#version += 1;
    if (known === undefined) this.#serial += 1;
    const uid = known?.metadata.uid ?? `uid-${this.#serial}`;
    const object = configMap(name, String(this.#version));
    this.#note(known === undefined ? 'ADDED' : 'MODIFIED', {
      ...object,
      metadata: { ...object.metadata, uid },
    });
  }

  remove(name: string): void {
    const known = this.objects.get(`default/${name}`);
    if (known === undefined) return;
    this.#version += 1;
    const metadata = { ...known.metadata, resourceVersion: String(this.#version) };
    this.#note('DELETED', { ...known, metadata });
  }

  #note(type: string, object: KubeObject): void {
    if (type === 'DELETED') this.objects.delete(keyOf(object.metadata));
    else this.objects.set(keyOf(object.metadata), object);
    this.#history.push({ version: this.#version, type, object });
  }

  forget(): void {
    this.#forgotten = this.#version;
  }

  isForgotten(version: string): boolean {
    return Number(version) < this.#forgotten;
  }

  get version(): string {
    return String(this.#version);
  }

  /** The state as it was at a version. */
  at(version: string): readonly KubeObject[] {
    const then = new Map<string, KubeObject>();
    for (const { version: when, type, object } of this.#history) {
      if (when > Number(version)) break;
      if (type === 'DELETED') then.delete(keyOf(object.metadata));
      else then.set(keyOf(object.metadata), object);
    }
    return [...then.values()];
  }

  since(version: string): Noted | undefined {
    return this.#history.find((one) => one.version > Number(version));
  }
}

/** What carries out effects on the model; a fault, if one is due, takes the place of the answer. */
class Driver {
  readonly #server: Server;
  readonly store = newStore<KubeObject>({ onError: (error) => assert.fail(String(error)) });
  /** What somebody believes who only listens to changes. */
  readonly shadow = new Map<string, KubeObject>();
  #state: WatchState = idle;
  #input: WatchInput<KubeObject> = { type: 'begin' };
  #nowMs = 0;
  #sentUpTo = '';

  constructor(server: Server) {
    this.#server = server;
    this.store.onChange((change) => this.#follow(change));
  }

  /** One step of the machine, and what comes of its effect. */
  turn(fault: Fault | undefined, pageSize: number, random: number): WatchEffect {
    this.#nowMs += 1;
    const { state, events, effect } = step(
      this.#state,
      this.#input,
      { nowMs: this.#nowMs, random },
      pageSize,
    );
    this.#state = state;
    for (const event of events) this.#keep(event);
    this.#input = this.#carryOut(effect, fault);
    return effect;
  }

  #keep(event: WatchEvent<KubeObject>): void {
    const partition = this.store.partitions.get(undefined);
    assert.ok(partition);
    if (event.type === 'begin') partition.begin();
    if (event.type === 'gather') partition.gather(event.objects);
    if (event.type === 'swap') partition.swap();
    if (event.type === 'put') partition.put(event.object);
    if (event.type === 'remove') partition.remove(event.object);
  }

  #carryOut(effect: WatchEffect, fault: Fault | undefined): WatchInput<KubeObject> {
    if (effect.do === 'wait') {
      this.#nowMs += effect.ms;
      return { type: 'waited' };
    }
    if (fault === 'lost') return failed(false);
    if (fault === 'gone') return failed(true);
    if (effect.do === 'list') return this.#page(effect);
    if (effect.do === 'watch') return this.#opened(effect);
    return this.#line(fault);
  }

  #page({ limit, continue: from }: Extract<WatchEffect, { do: 'list' }>): WatchInput<KubeObject> {
    const [version = this.#server.version, offset = '0'] = from?.split('+') ?? [];
    if (from !== undefined && this.#server.isForgotten(version)) return failed(true);
    const all = this.#server.at(version);
    const end = limit === 0 ? all.length : Number(offset) + limit;
    const next = end < all.length ? `${version}+${end}` : undefined;
    return { type: 'page', items: all.slice(Number(offset), end), resourceVersion: version, continue: next };
  }

  #opened({ resourceVersion }: Extract<WatchEffect, { do: 'watch' }>): WatchInput<KubeObject> {
    this.#sentUpTo = resourceVersion;
    return this.#server.isForgotten(resourceVersion) ? failed(true) : { type: 'opened' };
  }

  #line(fault: Fault | undefined): WatchInput<KubeObject> {
    if (fault === 'closed') return { type: 'closed' };
    if (fault === 'garbage') return { type: 'line', line: '{"type":"ADD' };
    if (fault === 'error') return line('ERROR', status(500, 'InternalError'));
    if (fault === 'goneInStream') return line('ERROR', status(410, 'Expired'));
    const next = this.#server.since(this.#sentUpTo);
    if (next === undefined) return line('BOOKMARK', configMap('', this.#server.version));
    this.#sentUpTo = String(next.version);
    return line(next.type, next.object);
  }

  /** Each change must fit to what its listener knows. */
  #follow(change: Change<KubeObject>): void {
    const key = keyOf(change.object.metadata);
    const known = this.shadow.get(key);
    if (change.type === 'added') assert.equal(known, undefined, `${key} was there already`);
    else assert.equal(known?.metadata.uid, change.object.metadata.uid, `${key} is another object`);
    if (change.type === 'updated') assert.deepEqual(change.old, known);
    if (change.type === 'deleted') this.shadow.delete(key);
    else this.shadow.set(key, change.object);
  }
}

const failed = (gone: boolean): WatchInput<KubeObject> => ({
  type: 'failed',
  failure: { gone, error: new Error('fault') },
});
const line = (type: string, object: object): WatchInput<KubeObject> => ({
  type: 'line',
  line: JSON.stringify({ type, object }),
});

const FAULTS = ['lost', 'gone', 'closed', 'garbage', 'error', 'goneInStream'] as const;
type Fault = (typeof FAULTS)[number];

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const happening = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('write' as const), name }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('remove' as const), name }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('forget' as const) }) },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('turn' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('turn' as const), fault: fc.constantFrom(...FAULTS) }),
  },
);

test('property: any interleaving of edits and faults ends with the copy that the server has', () => {
  fc.assert(
    fc.property(
      fc.array(happening, { maxLength: 120 }),
      fc.integer({ min: 1, max: 4 }),
      (happenings, pageSize) => {
        const server = new Server();
        const driver = new Driver(server);
        for (const [index, one] of happenings.entries()) {
          if (one.what === 'write') server.write(one.name);
          if (one.what === 'remove') server.remove(one.name);
          if (one.what === 'forget') server.forget();
          if (one.what === 'turn')
            driver.turn('fault' in one ? one.fault : undefined, pageSize, (index % 10) / 10);
        }
        // From now on the server is well: a bounded number of turns must do.
        for (let turn = 0; turn < 200; turn += 1) driver.turn(undefined, pageSize, 0.5);
        const wanted = new Map([...server.objects].sort());
        assert.deepEqual(
          new Map(
            driver.store
              .keys()
              .map((key) => [key, driver.store.get(key)] as const)
              .sort(),
          ),
          wanted,
        );
        assert.deepEqual(new Map([...driver.shadow].sort()), wanted);
      },
    ),
    { numRuns: 500 },
  );
});

test('property: with a server that always fails it never asks without a wait', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...FAULTS), { minLength: 30, maxLength: 30 }), (faults) => {
      const driver = new Driver(new Server());
      const effects = faults.map((fault) => driver.turn(fault, 500, 0).do);
      const asked = effects.filter((effect) => effect === 'list').length;
      const waited = effects.filter((effect) => effect === 'wait').length;
      assert.ok(asked <= waited + 1, effects.join());
    }),
  );
});
