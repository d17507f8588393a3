import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { giveShare, priorityOf } from './share.ts';

const noSessions = existsSync('/proc/self/autogroup')
  ? false
  : 'this kernel gives sessions no share of their own';

test('ten functions in one process get as much as ten in ten', () => {
  // A step of priority is a factor of 1.25 in share.
  const share = (cpuMillis: number): number => 1.25 ** -priorityOf(cpuMillis);
  assert.ok(Math.abs(share(1_000) / (10 * share(100)) - 1) < 0.15);
  assert.equal(priorityOf(2_000), 0, 'never above the gateway');
  assert.equal(priorityOf(0), 19, 'never below what there is');
});

test('a session is told its share, and one that is gone disturbs nobody', { skip: noSessions }, async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { detached: true });
  try {
    assert.ok(child.pid);
    await giveShare(child.pid, 100);
    assert.match(await readFile(`/proc/${String(child.pid)}/autogroup`, 'utf8'), / nice 10$/m);
  } finally {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }
  await giveShare(child.pid, 100);
});
