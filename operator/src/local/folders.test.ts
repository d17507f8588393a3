/** What is said of folders that cannot be used: in words, with what to do. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createKeys } from '../bus/keys.ts';
import { keptKeys, temporaryFolder } from './folders.ts';

let temporary: string;
let outer: string | undefined;
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'sinter-test-'));
  outer = process.env['TMPDIR'];
});
afterEach(async () => {
  if (outer === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = outer;
  await rm(temporary, { recursive: true });
});

describe('the temporary folder of a run', () => {
  it('is made in TMPDIR, for the user alone', async () => {
    process.env['TMPDIR'] = temporary;
    const folder = await temporaryFolder();
    assert.ok(folder.startsWith(join(temporary, 'sinter-run-')));
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
  });

  for (const [sentence, name, says] of [
    [
      'is not there',
      'missing',
      /folder, \S+missing, is not there; set TMPDIR to a folder that you may write to$/,
    ],
    ['is a file', 'file', /folder, \S+file, is not a folder; set TMPDIR/],
  ] as const) {
    it(`is refused with what to do where TMPDIR ${sentence}`, async () => {
      await writeFile(join(temporary, 'file'), '');
      process.env['TMPDIR'] = join(temporary, name);
      await assert.rejects(temporaryFolder(), says);
    });
  }
});

describe('the state folder of a run', () => {
  it('is made with its parents, keeps the first keys, and gives them back', async () => {
    const folder = join(temporary, 'a', 'b');
    const [first, second] = [createKeys(), createKeys()];
    assert.deepEqual(await keptKeys(folder, first), first);
    assert.deepEqual(await keptKeys(folder, second), first);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal((await stat(join(folder, 'keys.json'))).mode & 0o777, 0o600);
  });

  it('takes keys where a file was left empty', async () => {
    await writeFile(join(temporary, 'keys.json'), '');
    const keys = createKeys();
    assert.deepEqual(await keptKeys(temporary, keys), keys);
    assert.notEqual(await readFile(join(temporary, 'keys.json'), 'utf8'), '');
  });

  it('is refused with what to do where it is a file, or lies where no folder can be made', async () => {
    const file = join(temporary, 'file');
    await writeFile(file, '');
    await assert.rejects(
      keptKeys(file, createKeys()),
      /folder, \S+file, is not a folder; give one that you may/,
    );
    await assert.rejects(keptKeys(join(file, 'deep'), createKeys()), /is not a folder; give one/);
    await assert.rejects(keptKeys('/proc/sinter/state', createKeys()), /is not there; give one/);
  });

  it('is refused where its keys are none, without a word of what is in the file', async () => {
    await writeFile(join(temporary, 'keys.json'), 'very secret');
    await assert.rejects(keptKeys(temporary, createKeys()), (cause: Error) => {
      assert.match(cause.message, /keys\.json does not hold the keys of a run: .*remove the file/);
      assert.doesNotMatch(cause.message, /very secret/);
      return true;
    });
  });
});
