import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Question } from './assignment.ts';
import { isAllowed, membersByUnit, normalised, randomFrom } from './assignment.ts';
import { exactly } from './exact.ts';
import { locally } from './local.ts';
import { best } from './search.ts';
import { randomSnapshot } from './testGraphs.ts';
import { partitions, questionOf, scoreOf } from './testQuestions.ts';

/** By looking at every grouping, without anything clever. */
function bruteForce(question: Question, count: number): readonly { score: number; unitOf: string }[] {
  const { groups } = question;
  return [...partitions(count)]
    .filter((units) => units.every((members) => isAllowed(groups, members, members.length)))
    .map((units) => ({ score: scoreOf(question, units), unitOf: textOf(units, count) }))
    .sort((a, b) => a.score - b.score);
}

function textOf(units: readonly (readonly number[])[], count: number): string {
  const unitOf = new Int32Array(count);
  for (const members of units) for (const f of members) unitOf[f] = members[0] ?? 0;
  return normalised(unitOf, count).join();
}

test('the exact search finds what looking at every grouping finds, down to the tenth best', () => {
  const draw = randomFrom(11);
  for (let i = 0; i < 60; i++) {
    const functions = 1 + Math.floor(draw() * 6);
    const question = questionOf(randomSnapshot(draw, { functions }));
    const all = bruteForce(question, functions).slice(0, 10);
    const found = exactly(question, 10);
    assert.deepEqual(
      found.map((f) => f.score.toPrecision(9)),
      all.map((f) => f.score.toPrecision(9)),
      `graph ${i} of seed 11`,
    );
    assert.equal(found[0]?.unitOf.join(), all[0]?.unitOf, `graph ${i} of seed 11`);
  }
});

test('the exact search finds the same where instances sleep', () => {
  const draw = randomFrom(12);
  for (let i = 0; i < 30; i++) {
    const drawn = randomSnapshot(draw, { functions: 5 });
    const { roots, functions } = drawn.observations;
    const observations = {
      ...drawn.observations,
      roots: roots.map((r) => ({ ...r, ratePerSecond: r.ratePerSecond / 500 })),
      functions: functions.map((f) => ({ ...f, coldStartMs: 300 })),
    };
    const question = questionOf({ ...drawn, observations, scalesToZero: true });
    assert.ok(question.groups.figures.sleeps.includes(1));
    const [wanted] = bruteForce(question, 5);
    assert.equal(exactly(question, 1)[0]?.score.toPrecision(9), wanted?.score.toPrecision(9), `graph ${i}`);
  }
});

test('the local search is within 1 % of the exact one on 95 % of small graphs, and never better', (t) => {
  const draw = randomFrom(7);
  const graphs = 400;
  let [within, worst] = [0, 0];
  for (let i = 0; i < graphs; i++) {
    const functions = 2 + Math.floor(draw() * 7);
    const question = questionOf(randomSnapshot(draw, { functions }));
    const [wanted, found] = [exactly(question, 1)[0], locally(question)];
    assert.ok(wanted && found);
    const gap = found.score / wanted.score - 1;
    assert.ok(gap > -1e-9, `graph ${i} of seed 7: the exact search missed a better one`);
    if (gap <= 0.01) within++;
    worst = Math.max(worst, gap);
  }
  t.diagnostic(`within 1 %: ${within} of ${graphs}; worst ${(worst * 100).toFixed(2)} %`);
  assert.ok(within >= 0.95 * graphs, `${within} of ${graphs}`);
});

test('what is excluded does not come out, and the second best does', () => {
  const draw = randomFrom(3);
  for (const functions of [4, 12]) {
    const question = questionOf(randomSnapshot(draw, { functions }));
    const first = best(question);
    const second = best({ ...question, excluded: first ? [first.unitOf] : [] });
    assert.ok(first && second);
    assert.notEqual(second.unitOf.join(), first.unitOf.join());
    assert.ok(second.score >= first.score);
  }
});

test('a thousand functions get groups that the rules allow, the same each time', (t) => {
  const question = questionOf(randomSnapshot(randomFrom(5), { functions: 1000 }));
  const before = process.cpuUsage();
  const found = best(question);
  const { user } = process.cpuUsage(before);
  t.diagnostic(`1,000 functions in ${Math.round(user / 1000)} ms of CPU`);
  assert.ok(found);
  const units = membersByUnit(found.unitOf, 1000).filter((members) => members.length > 0);
  assert.ok(units.every((members) => isAllowed(question.groups, members, members.length)));
  assert.ok(units.length < 900);
  assert.equal(best(question)?.unitOf.join(), found.unitOf.join());
});

test('no function and one function are no trouble', () => {
  const question = questionOf(randomSnapshot(randomFrom(5), { functions: 1 }));
  assert.deepEqual([...(best(question)?.unitOf ?? [])], [0]);
});
