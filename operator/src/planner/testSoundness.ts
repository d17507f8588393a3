/** What must be true of every plan, whatever the snapshot: shared by the properties, the small graphs and the attacks. */
import assert from 'node:assert/strict';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { factsOf, runsOn } from './facts.ts';
import type { Plan } from './plan.ts';
import { refusalOfGroup } from './rules.ts';
import { membersOf } from './units.ts';

export function assertSound(p: Plan, snapshot: Snapshot): void {
  everyFunctionInOneUnit(p, snapshot);
  noUnitBreaksARule(p, snapshot);
  everyArtifactRunsWhereItIs(p, snapshot);
  everythingHasADecision(p, snapshot);
  channelsFollowGroups(p, snapshot);
}

function everyFunctionInOneUnit(p: Plan, snapshot: Snapshot): void {
  const planned = p.units.flatMap((u) => u.functions).sort();
  assert.deepEqual(
    planned,
    snapshot.functions.map((f) => f.name).sort(),
    'every function is in exactly one unit',
  );
}

function noUnitBreaksARule(p: Plan, snapshot: Snapshot): void {
  const facts = factsOf(snapshot);
  for (const unit of p.units) {
    assert.equal(refusalOfGroup(membersOf(unit.functions, facts), facts), undefined, unit.functions.join());
    const domains = new Set(membersOf(unit.functions, facts).map((fn) => fn.spec.trustDomain));
    assert.ok(domains.size <= 1, 'a plan never fuses across a trust domain');
  }
}

function everyArtifactRunsWhereItIs(p: Plan, snapshot: Snapshot): void {
  for (const unit of p.units) {
    assert.ok(unit.instances >= 1);
    for (const { architecture, artifacts } of unit.variants) {
      assert.deepEqual(
        artifacts.map((a) => a.function),
        unit.functions,
        'a variant runs every function',
      );
      for (const placed of artifacts) {
        const fn = snapshot.functions.find((f) => f.name === placed.function);
        const artifact = fn?.artifacts.find((a) => a.name === placed.artifact);
        assert.ok(artifact && runsOn(artifact, architecture), 'no artifact on an architecture it lacks');
        assert.ok(artifact.sha256 !== null || artifact.image, 'no artifact without its code');
        assert.ok(fn?.spec.placement.architectures.includes(architecture), 'only where it is allowed');
      }
    }
  }
}

function everythingHasADecision(p: Plan, snapshot: Snapshot): void {
  const has = (kind: string, about: string): boolean =>
    p.decisions.some((d) => d.kind === kind && d.about === about);
  const { edges, functions } = factsOf(snapshot);
  for (const { from, to } of edges) {
    assert.ok(has('Channel', `${from} → ${to}`), `channel of ${from} → ${to}`);
    if (from === to || !functions.has(from) || !functions.has(to)) continue;
    const pairs = [`${from} → ${to}`, `${from} ↔ ${to}`, `${to} ↔ ${from}`];
    assert.equal(
      pairs.filter((pair) => has('Fusion', pair)).length,
      1,
      'every connected pair has one decision',
    );
  }
  for (const fn of snapshot.functions) {
    assert.ok(has('Isolation', fn.name));
    for (const architecture of fn.spec.placement.architectures)
      assert.ok(has('Runtime', `${fn.name} on ${architecture}`));
  }
  for (const unit of p.units) {
    assert.ok(
      has('Size', `unit ${unit.functions[0] ?? ''}`) && has('Placement', `unit ${unit.functions[0] ?? ''}`),
    );
  }
  assert.ok(
    p.decisions.every((d) => /^[A-Z][A-Za-z]+$/.test(d.reason) && d.message !== '' && d.choice !== ''),
  );
}

function channelsFollowGroups(p: Plan, snapshot: Snapshot): void {
  const unitOf = new Map(p.units.flatMap((u, i) => u.functions.map((fn) => [fn, i] as const)));
  const { services } = factsOf(snapshot);
  for (const { from, to, channel, terms } of p.channels) {
    if (services.has(from) || services.has(to)) continue;
    const together = unitOf.get(from) === unitOf.get(to);
    if (terms.call === 'Async') assert.equal(channel, 'Queue');
    else assert.equal(channel === 'InProcess', together, `${from} → ${to} in one unit is in process`);
  }
}
