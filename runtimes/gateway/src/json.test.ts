import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { jsonMistake } from './json.ts';

const parses = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('the place of a mistake in JSON', () => {
  const rows: Record<string, number | undefined> = {
    '': 0,
    ' ': 1,
    '{}': undefined,
    '[1,2': 5 - 1,
    '{"a":}': 5,
    '{"a" 1}': 5,
    '{a:1}': 1,
    '[1,]': 3,
    '{"a":1,}': 7,
    '[1}': 2,
    '1 2': 2,
    nul: 0,
    '01': 1,
    '1.': 1,
    '"\\x"': 1,
    '"a\nb"': 2,
    '"abc': 4,
    "{'a':1}": 1,
    NaN: 0,
    ']': 0,
  };
  for (const [text, position] of Object.entries(rows))
    it(JSON.stringify(text), () => {
      assert.equal(jsonMistake(text)?.position, position);
      assert.equal(position === undefined, parses(text));
    });

  it('counts lines and columns from one', () => {
    assert.deepEqual(jsonMistake('{\n  "a": 1\n  "b"'), { position: 13, line: 3, column: 3 });
  });

  it('is found exactly where the engine refuses', () => {
    const part = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      '1',
      '-',
      '.5',
      'e3',
      'true',
      ' ',
      '\n',
    );
    const texts = fc.oneof(
      fc.array(part, { maxLength: 12 }).map((p) => p.join('')),
      fc.json(),
      fc.string(),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const mistake = jsonMistake(text);
        assert.equal(mistake === undefined, parses(text), JSON.stringify(text));
        assert.ok((mistake?.position ?? 0) <= text.length);
      }),
      { numRuns: 3_000 },
    );
  });
});
