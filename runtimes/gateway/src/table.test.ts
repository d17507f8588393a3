import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entry, route, trigger } from '../test/rig.ts';
import { Table, hostName, pathKey } from './table.ts';

const key = (workflow: string) => ({ namespace: 'default', workflow });
const withTriggers = (workflow: string, ...paths: string[]) => ({
  ...entry({ triggers: paths.map((path, i) => trigger({ name: `t${String(i)}`, path })) }),
  ...key(workflow),
});
const winner = (table: Table, path: string): string | undefined => table.at('x', path)[0]?.workflow.workflow;

describe('the table of entries', () => {
  it('gives a path to the same workflow in whatever order they came', () => {
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const table = new Table();
      for (const name of order) table.setEntry(key(name), withTriggers(name, '/same'));
      assert.equal(winner(table, '/same'), 'a');
    }
  });

  it('gives it to the next when the first is gone', () => {
    const table = new Table();
    for (const name of ['a', 'b']) table.setEntry(key(name), withTriggers(name, '/same'));
    table.setEntry(key('a'), undefined);
    assert.equal(winner(table, '/same'), 'b');
    assert.equal(table.get('default', 'a'), undefined);
  });

  it("keeps the gateway's own paths to the gateway", () => {
    const table = new Table();
    table.setEntry(key('a'), withTriggers('a', '/call/', '/-/', '/-/healthz', '/call/x'));
    for (const path of ['/call/x', '/-/healthz', '/-/x']) assert.deepEqual(table.at('x', path), []);
  });

  it("does not take the root's trigger for everything", () => {
    const table = new Table();
    table.setEntry(key('a'), withTriggers('a', '/'));
    assert.equal(winner(table, '/'), 'a');
    assert.equal(winner(table, '/x'), undefined);
  });

  it('tells of a route once, and never of an older one', () => {
    const told: number[] = [];
    const table = new Table((w) => told.push(w.route?.generation ?? -1));
    for (const generation of [1, 3, 2, 3, 4]) table.setRoute(key('a'), route({ generation }));
    assert.deepEqual(told, [1, 3, 4]);
    assert.equal(table.get('default', 'a')?.route?.generation, 4);
    table.setRoute(key('a'), undefined);
    assert.deepEqual(told, [1, 3, 4, -1]);
  });
});

describe('what paths and hosts are compared by', () => {
  const hosts = { 'A.Example:80': 'a.example', 'a.': 'a', '[::1]:80': '[::1]', '': '', ':80': ':80' };
  for (const [header, name] of Object.entries(hosts))
    it(`host '${header}'`, () => {
      assert.equal(hostName(header), name);
    });
  it('escapes that need not be', () => {
    assert.equal(pathKey('/%61%2Fb'), '/a%2Fb');
    assert.equal(pathKey('/%'), undefined);
  });
});
