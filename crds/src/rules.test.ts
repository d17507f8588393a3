import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RULES } from './rules/index.ts';
import { BAD_SHAPES, GOOD_SHAPES, RULE_SAMPLES, type Accepted, type Rejected } from './testing/samples.ts';
import { validate } from './validate.ts';

const optionsOf = ({ old }: Accepted | Rejected) => (old === undefined ? {} : { old });

function expectAccepted(sample: Accepted): void {
  const verdict = validate(sample.object, optionsOf(sample));
  assert.ok(verdict.ok, verdict.ok ? '' : JSON.stringify(verdict.problems));
}

/** The message of the one problem that the sample is about. */
function expectRejected(sample: Rejected): string {
  const verdict = validate(sample.object, optionsOf(sample));
  assert.ok(!verdict.ok, 'was accepted');
  const found = verdict.problems.find((one) => one.field === sample.field && one.given === sample.given);
  assert.ok(found, JSON.stringify(verdict.problems));
  return found.message;
}

describe('the table of rules', () => {
  it('has an accepted and a rejected sample for every rule, and no sample for a rule that is gone', () => {
    assert.deepEqual(Object.keys(RULE_SAMPLES).sort(), RULES.map((rule) => rule.name).sort());
    for (const [name, { accepts, rejects }] of Object.entries(RULE_SAMPLES)) {
      assert.ok(Object.keys(accepts).length > 0, `${name} accepts nothing`);
      assert.ok(Object.keys(rejects).length > 0, `${name} rejects nothing`);
    }
  });

  it('says in each message what must be and what to do, in one line', () => {
    for (const { name, message } of RULES) {
      assert.match(message, /^must (not )?(be|have|come|fit|share|start)\b/, name);
      assert.doesNotMatch(message, /[\r\n]|\.$/, name);
    }
  });

  for (const rule of RULES) {
    const samples = RULE_SAMPLES[rule.name];
    describe(rule.name, () => {
      for (const [sentence, sample] of Object.entries(samples?.accepts ?? {})) {
        it(`accepts ${sentence}`, () => expectAccepted(sample));
      }
      for (const [sentence, sample] of Object.entries(samples?.rejects ?? {})) {
        it(`rejects ${sentence}`, () => assert.equal(expectRejected(sample), rule.message));
      }
    });
  }
});

describe('the shape of objects', () => {
  for (const [sentence, sample] of Object.entries(GOOD_SHAPES)) {
    it(`accepts ${sentence}`, () => expectAccepted(sample));
  }
  for (const [sentence, sample] of Object.entries(BAD_SHAPES)) {
    it(`rejects ${sentence}`, () => assert.notEqual(expectRejected(sample), ''));
  }
});
