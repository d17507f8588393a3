/** Steps from one revision to the next at the moments at which they meet each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { target, turn, until, World } from './testWorld.ts';

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

describe('a plan that is tried', () => {
  const trying = async (): Promise<World> => {
    const world = new World();
    await world.deployment.deploy(target('a', ['one', 'shared']));
    const tried = await world.deployment.tryOut(target('b', ['two', 'shared']));
    assert.deepEqual([tried.ok, tried.started, tried.kept], [true, ['two'], ['shared']]);
    return world;
  };
  /** `current candidate weight draining`, as the route said one after the other. */
  const heads = (world: World): readonly string[] =>
    world.routes
      .map((r) => `${r.current} ${r.candidate ?? '-'} ${String(r.weightPercent ?? '-')} ${r.draining.join()}`)
      .filter((head, i, all) => head !== all[i - 1]);

  it('gets its share beside the current one, and is promoted: units of both are not started again', async () => {
    const world = await trying();
    const { deployment } = world;
    for (const percent of [5, 5, 20]) await deployment.setWeight(percent);
    assert.deepEqual([deployment.candidate?.hash, deployment.weightPercent], ['b', 20]);
    const promoted = await deployment.promote();
    assert.deepEqual([promoted.started, promoted.kept, promoted.drained], [['two'], ['shared'], ['one']]);
    await until('the old one has drained', () => world.route?.draining.length === 0);
    await until('and its unit has ended', () => !world.units.includes('one'));
    assert.deepEqual(heads(world), ['a - - ', 'a b 0 ', 'a b 5 ', 'a b 20 ', 'b - - a', 'b - - ']);
    assert.deepEqual(world.started, ['one', 'shared', 'two']);
    assert.deepEqual([deployment.candidate, deployment.weightPercent], [undefined, 0]);
  });

  it('is withdrawn: its units end when no root runs under it', async () => {
    const world = await trying();
    world.roots = { b: 1 };
    await world.deployment.setWeight(50);
    await world.deployment.withdraw();
    assert.deepEqual(heads(world).at(-1), 'a - - b');
    await turn();
    assert.deepEqual(world.units, ['one', 'shared', 'two'], 'a root runs under it');
    world.roots = { b: 0 };
    world.announceAll();
    await until('its own unit ends', () => world.units.length === 2);
    assert.deepEqual(world.units, ['one', 'shared']);
    await world.deployment.withdraw();
    assert.deepEqual(heads(world).at(-1), 'a - - ', 'a second time it changes nothing');
  });

  it('and does not come up leaves nothing of itself', async () => {
    const world = new World();
    await world.deployment.deploy(target('a', ['one']));
    world.broken.add('two');
    const tried = await world.deployment.tryOut(target('b', ['one', 'two']));
    assert.equal(tried.ok, false);
    assert.deepEqual(
      [world.units, world.deployment.candidate, heads(world).at(-1)],
      [['one'], undefined, 'a - - '],
    );
  });

  it('gives way to another that is tried, and to one that is deployed', async () => {
    const world = await trying();
    await world.deployment.setWeight(5);
    await world.deployment.tryOut(target('c', ['three']));
    assert.deepEqual([world.route?.candidate, world.route?.weightPercent], ['c', 0]);
    await world.deployment.deploy(target('d', ['four']));
    await until('the others have ended', () => world.units.join() === 'four');
    assert.deepEqual([world.route?.current, world.route?.candidate], ['d', undefined]);
  });

  it('becomes current when it is deployed', async () => {
    const world = await trying();
    const deployed = await world.deployment.deploy(target('b', ['two', 'shared']));
    assert.equal(deployed.ok, true);
    assert.deepEqual([world.route?.current, world.route?.candidate], ['b', undefined]);
    assert.deepEqual(world.started, ['one', 'shared', 'two']);
  });

  it('goes with its workflow', async () => {
    const world = await trying();
    await world.deployment.remove();
    assert.deepEqual(world.units, []);
  });

  it('cannot be tried beside itself, or beside nothing', async () => {
    const world = new World();
    await assert.rejects(world.deployment.tryOut(target('a', ['one'])), /cannot be tried/);
    await world.deployment.deploy(target('a', ['one']));
    await assert.rejects(world.deployment.tryOut(target('a', ['one'])), /cannot be tried/);
    await assert.rejects(world.deployment.promote(), /no candidate/);
  });
});
