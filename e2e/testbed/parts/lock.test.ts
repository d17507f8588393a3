import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { cacheFolder } from '../places.ts';
import { withLock } from './lock.ts';
import { startTicksOf } from './processes.ts';

describe('the lock of the testbed', () => {
  const { XDG_CACHE_HOME = '' } = process.env;
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sinter-lock-'));
    process.env['XDG_CACHE_HOME'] = folder;
  });
  after(async () => {
    if (XDG_CACHE_HOME === '') delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = XDG_CACHE_HOME;
    await rm(folder, { recursive: true, force: true });
  });

  const held = async (holder: object): Promise<void> => {
    const file = join(cacheFolder(), 'lock');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(holder));
  };

  it('is had by one at a time, and is free again afterwards, also after a failure', async () => {
    await withLock(async () => {
      await assert.rejects(
        withLock(() => Promise.resolve()),
        new RegExp(`process ${String(process.pid)} is changing the testbed`),
      );
    });
    await assert.rejects(
      withLock(() => Promise.reject(new Error('it failed'))),
      /it failed/,
    );
    assert.equal(await withLock(() => Promise.resolve('mine')), 'mine');
  });

  it('is taken from a process that is gone', async () => {
    await held({ pid: 999_999_999, startTicks: 1 });
    assert.equal(await withLock(() => Promise.resolve('mine')), 'mine');
  });

  it('is taken from a process whose number another one has by now', async () => {
    await held({ pid: process.pid, startTicks: ((await startTicksOf(process.pid)) ?? 0) - 1 });
    assert.equal(await withLock(() => Promise.resolve('mine')), 'mine');
  });

  it('is taken where its file is not whole', async () => {
    await held({});
    await writeFile(join(cacheFolder(), 'lock'), '{"pid":');
    assert.equal(await withLock(() => Promise.resolve('mine')), 'mine');
  });
});
