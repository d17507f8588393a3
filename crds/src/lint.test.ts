import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lintStructural } from './lint.ts';
import type { Structural } from './structural.ts';

const string: Structural = { type: 'string', maxLength: 9, description: 'a' };
const list: Structural = {
  type: 'array',
  description: 'a',
  maxItems: 3,
  items: { type: 'object', properties: { name: string }, required: ['name'] },
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['name'],
};
const under = (field: unknown): Structural => ({
  type: 'object',
  properties: { field: field as Structural },
});

const REFUSED: Readonly<Record<string, readonly [Structural, RegExp]>> = {
  'a field without a type': [under({ description: 'a' }), /field: type must be set/],
  'a field without a description': [under({ type: 'boolean' }), /field: no description/],
  'a union': [under({ ...string, anyOf: [{ type: 'string' }, { type: 'object' }] }), /anyOf is only allowed/],
  'a reference': [under({ ...string, $ref: '#/definitions/a' }), /unknown keyword `\$ref`/],
  'a number': [under({ type: 'number', description: 'a' }), /not 'number'/],
  'a string without an end': [under({ type: 'string', description: 'a' }), /without maxLength/],
  'an integer without an end': [
    under({ type: 'integer', description: 'a', minimum: 0, format: 'int32' }),
    /integer without maximum/,
  ],
  'a list without an end': [under({ ...list, maxItems: undefined }), /list without maxItems/],
  'a list without a type': [
    under({ ...list, 'x-kubernetes-list-type': undefined, 'x-kubernetes-list-map-keys': undefined }),
    /without x-kubernetes-list-type/,
  ],
  'a keyed list without keys': [
    under({ ...list, 'x-kubernetes-list-map-keys': undefined }),
    /belong to the type map/,
  ],
  'a key that may be absent': [
    under({ ...list, items: { type: 'object', properties: { name: string } } }),
    /list key `name` may be absent/,
  ],
  'a key that is a reserved word of CEL': [
    under({
      ...list,
      items: { type: 'object', properties: { function: string }, required: ['function'] },
      'x-kubernetes-list-map-keys': ['function'],
    }),
    /reserved word/,
  ],
  'a set of objects': [
    under({ ...list, 'x-kubernetes-list-type': 'set', 'x-kubernetes-list-map-keys': undefined }),
    /a set must hold scalars/,
  ],
  'closed objects': [{ ...under(string), additionalProperties: false }, /refused beside properties/],
  'a map and an object at once': [
    { ...under(string), additionalProperties: string, maxProperties: 3 },
    /exclude/,
  ],
  'a map without an end': [
    under({ type: 'object', description: 'a', additionalProperties: string }),
    /without maxProp/,
  ],
  'a required field that is not there': [{ ...under(string), required: ['other'] }, /`other` is not there/],
  'a required field with a default': [
    { ...under({ ...string, default: '' }), required: ['field'] },
    /`field` has a default/,
  ],
  'a default of the root': [{ ...under(string), default: {} }, /root must have no default/],
  'int-or-string with more types': [
    under({
      description: 'a',
      'x-kubernetes-int-or-string': true,
      anyOf: [{ type: 'string' }, { type: 'integer' }],
      maxLength: 9,
      minimum: 0,
    }),
    /exactly integer, string/,
  ],
  'a rule of two lines': [
    {
      ...under(string),
      'x-kubernetes-validations': [{ rule: 'a\n&& b', message: 'm', messageExpression: "'a'" }],
    },
    /one line/,
  ],
};

describe('the structural linter', () => {
  it('passes what is right', () => {
    assert.deepEqual(lintStructural({ type: 'object', properties: { string, list } }), []);
  });
  for (const [sentence, [schema, breach]] of Object.entries(REFUSED)) {
    it(`refuses ${sentence}`, () => assert.match(lintStructural(schema).join('\n'), breach));
  }
});
