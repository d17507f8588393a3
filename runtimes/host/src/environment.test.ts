import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { environmentVariable } from '@sinter/contract';
import { takeEnvironments } from './environment.ts';

const label = fc.oneof(
  fc.constantFrom('a', 'a-b', 'a--b', 'a-bd'),
  fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?$/),
);
const values = fc.dictionary(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/), fc.string(), {
  noNullPrototype: true,
});

describe('environments of functions', () => {
  it('reach each its own function, and nothing stays behind', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(label, values), { selector: ([fn]) => fn, maxLength: 5 }),
        (given) => {
          const env: NodeJS.ProcessEnv = {
            PATH: '/bin',
            SINTER_FN_GONE__X: 'of a function that is not here',
          };
          for (const [fn, vars] of given)
            for (const [name, value] of Object.entries(vars)) env[environmentVariable(fn, name)] = value;
          const taken = takeEnvironments(
            env,
            given.map(([fn]) => fn),
          );
          assert.deepEqual(env, { PATH: '/bin' });
          assert.deepEqual(Object.fromEntries(taken), Object.fromEntries(given));
        },
      ),
    );
  });
  it('are empty where nothing is given', () => {
    assert.deepEqual(takeEnvironments({}, ['a']).get('a'), {});
  });
});
