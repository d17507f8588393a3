import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { CommandFailed, Interrupted, attempt, goOn, interrupt, run, until } from './command.ts';

const node = (script: string): readonly string[] => [process.execPath, '--eval', script];
const FOR_EVER = 'setInterval(() => undefined, 1000)';

describe('a command', () => {
  afterEach(goOn);

  it('gives what it wrote, and takes what it is given', async () => {
    assert.equal(await run(node('process.stdin.pipe(process.stdout)'), { input: 'text' }), 'text');
  });

  it('that fails says what was run and what it said last', async () => {
    await assert.rejects(run(node('console.error("it broke"); process.exitCode = 7')), (cause) => {
      assert.ok(cause instanceof CommandFailed);
      assert.equal(cause.code, 7);
      assert.match(cause.message, /--eval .* ended with 7:\n {2}it broke/s);
      return true;
    });
  });

  it('that is not there fails in the same way', async () => {
    assert.equal((await attempt(['no-such-command'])).code, 127);
  });

  it('that takes too long is ended', async () => {
    const { code, stderr } = await attempt(node(FOR_EVER), { limitMs: 300 });
    assert.notEqual(code, 0);
    assert.match(stderr, /ended after 300 ms/);
  });

  it('is ended by an interrupt, and nothing is started or waited for until it is said', async () => {
    const running = assert.rejects(run(node(FOR_EVER)), CommandFailed);
    const waiting = assert.rejects(
      until('never', () => false),
      Interrupted,
    );
    interrupt();
    await Promise.all([running, waiting]);
    await assert.rejects(run(node('')), Interrupted);
    goOn();
    await run(node(''));
  });
});

describe('waiting', () => {
  it('ends with what was waited for', async () => {
    let times = 0;
    await until('the third time', () => ++times === 3, 10_000, 1);
    assert.equal(times, 3);
  });

  it('that is in vain says for what', async () => {
    await assert.rejects(
      until('the moon comes down', () => false, 20, 1),
      /not within 0\.02 s: the moon comes down/,
    );
  });
});
