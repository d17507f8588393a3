/** Where runs are found by other commands: only in what is the user's own. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { RunState } from './run.ts';
import { liveRuns, removeState, runsFolder, stateFileOf, writeState } from './stateFile.ts';

const STATE: RunState = {
  version: 1,
  pid: process.pid,
  startedAt: '2026-01-01T00:00:00.000Z',
  gateway: { url: 'http://127.0.0.1:1', token: 'secret' },
  workflows: [],
};

let temporary: string;
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'sinter-test-'));
});
afterEach(async () => {
  await rm(temporary, { recursive: true });
});

describe('the state file of a run', () => {
  it('is found by others, and only the user can read it', async () => {
    const folder = join(temporary, 'sinter');
    const path = stateFileOf(folder, process.pid);
    await writeState(path, STATE);
    assert.deepEqual(await liveRuns(folder), [STATE]);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
  });

  it('is neither written to nor read from a folder in which others may write', async () => {
    const open = join(temporary, 'open');
    await mkdir(open);
    await chmod(open, 0o777);
    await writeFile(stateFileOf(open, process.pid), JSON.stringify(STATE));
    await assert.rejects(writeState(stateFileOf(open, 1), STATE), /others may write to it/);
    assert.deepEqual(await liveRuns(open), []);
    const led = join(temporary, 'led');
    await symlink(temporary, led);
    await assert.rejects(writeState(stateFileOf(led, 1), STATE), /belongs to somebody else/);
  });

  it('is passed over where it holds anything else, so that one broken file hides no run', async () => {
    const folder = join(temporary, 'sinter');
    await writeState(stateFileOf(folder, process.pid), STATE);
    for (const [i, text] of ['{', '', 'null', '{}', '{"version":1,"pid":1,"workflows":5}'].entries())
      await writeFile(stateFileOf(folder, i + 1), text);
    assert.deepEqual(await liveRuns(folder), [STATE]);
  });

  it('that cannot be written is an error, also where no folder can be made at all', async () => {
    const path = stateFileOf('/proc/sinter', 1);
    await assert.rejects(writeState(path, STATE), /\/proc\/sinter, cannot be made: .*; set XDG_RUNTIME_DIR/);
  });

  it('is removed with its folder, unless another run is in it', async () => {
    const folder = join(temporary, 'sinter');
    const [mine, other] = [1, process.pid].map((pid) => stateFileOf(folder, pid));
    await writeState(mine ?? '', { ...STATE, pid: 1 });
    await writeState(other ?? '', STATE);
    await removeState(mine ?? '');
    assert.deepEqual(await liveRuns(folder), [STATE]);
    await removeState(other ?? '');
    assert.deepEqual(await readdir(temporary), []);
    await removeState(other ?? ''); // it is gone already
  });

  it('is written though a run that ends takes the empty folder away in the same moment', async () => {
    const folder = join(temporary, 'sinter');
    const path = stateFileOf(folder, process.pid);
    for (let i = 0; i < 50; i++) {
      await Promise.all([writeState(path, STATE), removeState(stateFileOf(folder, 1))]);
      assert.deepEqual(await liveRuns(folder), [STATE]);
      await rm(path);
    }
  });

  it('lies in the temporary folder where XDG_RUNTIME_DIR names a folder that is not there', () => {
    assert.equal(runsFolder({ XDG_RUNTIME_DIR: temporary }), join(temporary, 'sinter'));
    const missing = join(temporary, 'missing');
    assert.ok(runsFolder({ XDG_RUNTIME_DIR: missing }).startsWith(join(tmpdir(), 'sinter-')));
  });
});
