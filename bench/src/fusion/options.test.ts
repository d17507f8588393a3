import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { optionsOf } from './options.ts';

describe('options of the benchmark of plans', () => {
  it('has a form that takes minutes where nothing is said', () => {
    const { examples, cpuMillis, partitions, repeats } = optionsOf([]);
    assert.deepEqual(
      { examples, cpuMillis, partitions, repeats },
      {
        examples: ['traffic', 'tree'],
        cpuMillis: [250],
        partitions: 4,
        repeats: 3,
      },
    );
  });

  it('takes the whole form', () => {
    const { examples, cpuMillis, partitions, hopDelayMs } = optionsOf([
      'web-shop',
      '--cpu',
      '72,250',
      '--partitions',
      '20',
      '--hop-delay',
      '20',
    ]);
    assert.deepEqual([examples, cpuMillis, partitions, hopDelayMs], [['web-shop'], [72, 250], 20, 20]);
  });

  const REFUSED: Readonly<Record<string, RegExp>> = {
    '--rate 0': /--rate: given 0; give a number from 0.1 to 100/,
    '--cpu 72,many': /--cpu: given many; give a number/,
    '--seconds 1e9': /--seconds: given 1e9/,
    '--objective Speed': /--objective: given Speed; give one of Latency, Cost, Balanced/,
    '--fast': /Unknown option '--fast'/,
  };
  for (const [words, expected] of Object.entries(REFUSED))
    it(`refuses ${words}`, () => {
      assert.throws(() => optionsOf(words.split(' ')), expected);
    });
});
