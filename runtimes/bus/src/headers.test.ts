import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { headers } from '@nats-io/transport-node';
import fc from 'fast-check';
import { HeaderBlock, HeaderMap } from './headers.ts';

/** As the client reads what was written. */
const read = (block: HeaderBlock): HeaderMap => {
  const Impl = headers().constructor as unknown as {
    decode: (bytes: Uint8Array) => ReturnType<typeof headers>;
  };
  return new HeaderMap(Impl.decode(block.encode()));
};

describe('a header block', () => {
  it('is read by the client as it was written', () => {
    const value = fc.string({ unit: 'grapheme' }).map((s) => s.replace(/[\r\n]/g, '').trim());
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[A-Za-z-]{1,12}$/), value), (pairs) => {
        const block = new HeaderBlock();
        for (const [name, v] of Object.entries(pairs)) block.set(name, v);
        const map = read(block);
        for (const [name, v] of Object.entries(pairs)) assert.equal(map.get(name), v);
      }),
    );
  });
  it('cannot be given further headers through a value', () => {
    const block = new HeaderBlock();
    block.set('Sinter-Key', 'a\r\nNats-Rollup: all\nX: y\r');
    const map = read(block);
    assert.equal(map.get('Nats-Rollup'), '');
    assert.equal(map.get('Sinter-Key'), 'a Nats-Rollup: all X: y');
  });
});
