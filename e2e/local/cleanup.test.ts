/** What a run leaves behind, however it ends; and that two runs do not meet. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Load, app, eventually, failuresOf, isAlive, withLab } from './harness.ts';

const HOLDER = fileURLToPath(new URL('holder.ts', import.meta.url));

interface Held {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pids: readonly number[];
  readonly stateFile: string;
  /** Temporary files, and the run's state file. */
  readonly folder: string;
}

/** A run in a process of its own, with folders of its own. */
async function withHeld(scenario: (held: Held) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sinter-held-'));
  await mkdir(join(folder, 'runtime'), { mode: 0o700 });
  const child = spawn(process.execPath, [HOLDER], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: folder, XDG_RUNTIME_DIR: join(folder, 'runtime') },
  });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    await scenario({ child, folder, ...(JSON.parse(line) as Pick<Held, 'url' | 'pids' | 'stateFile'>) });
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

const gone = (pids: readonly number[], limitMs: number): Promise<true> =>
  eventually(
    'no process of the run is left',
    () => !pids.some(isAlive) && (true as const),
    limitMs,
    () => pids.filter(isAlive),
  );

describe('the end of a run', () => {
  it('in order leaves no process and no file', () =>
    withHeld(async ({ child, pids, folder, stateFile }) => {
      assert.ok(pids.length === 5 && pids.every(isAlive) && existsSync(stateFile));
      child.stdin?.write('stop\n');
      await once(child, 'exit');
      await gone(pids, 1_000);
      const left = await readdir(folder, { recursive: true });
      assert.deepEqual(left, ['runtime'], 'the folder of the user, and nothing in it');
    }));

  it('by kill -9 leaves no process, and no file a moment later', () =>
    withHeld(async ({ child, pids, folder, stateFile }) => {
      child.kill('SIGKILL');
      await gone(pids, 5_000);
      const files = async (): Promise<readonly string[]> => await readdir(folder, { recursive: true });
      const empty = async (): Promise<boolean> => (await files()).every((name) => name === 'runtime');
      await eventually('its folders are gone', empty, 5_000, files);
      await eventually('its state file is gone', () => !existsSync(stateFile));
    }));

  it('while a change is under way leaves nothing either', () =>
    withLab({}, async (lab) => {
      const functions = { front: () => 'front', back: () => 'back' };
      await lab.apply(app({ functions }));
      const { parts } = lab.run;
      const fixed = [parts.gatewayPid(), parts.servers.pidOf('hub')].filter((pid) => pid !== undefined);
      const deployment = lab.deployment();
      const hosts = new Set<number>();
      const watch = setInterval(
        () => deployment.fleets.flatMap((f) => f.pids).forEach((p) => hosts.add(p)),
        5,
      );
      const applying = lab.run.apply(
        app({ functions: { ...functions, more: () => 1 }, groups: ['front,back'] }),
      );
      await eventually('new units start', () => hosts.size > 2);
      await lab.run.stop();
      clearInterval(watch);
      await applying.catch(() => undefined); // it may fail, it must end
      await gone([...fixed, ...hosts], 3_000);
    }));

  it('of its gateway, or of a server, is not the end of the run', () =>
    withLab({ machines: 1 }, async (lab) => {
      await lab.apply(app({ functions: { front: () => 'front' } }));
      const { parts } = lab.run;
      const gateway = (): number | undefined => parts.gatewayPid();
      const works = (what: string): Promise<true> =>
        eventually(what, async () => (await lab.call('/')).status === 200 && (true as const));
      const leaf = (): number | undefined => parts.servers.pidOf('machine-1');
      const hub = (): number | undefined => parts.servers.pidOf('hub');
      for (const pidOf of [gateway, hub, leaf, hub, gateway]) {
        const pid = await eventually('it is there', pidOf);
        process.kill(pid, 'SIGKILL');
        await eventually('it is gone', () => !isAlive(pid));
        await works('the run works again');
      }
      // And plans can still be changed.
      await lab.apply(app({ functions: { front: () => 'changed' } }));
      assert.equal((await lab.call('/')).text, 'changed');
    }));
});

describe('two runs at once', () => {
  it('do not disturb each other, though their workflows have the same names', () =>
    withHeld((other) =>
      withLab({ machines: 1 }, async (lab) => {
        await lab.apply(app({ functions: { front: () => 'mine' } }));
        const load = new Load({ perSecond: 50, most: 500, one: () => lab.call('/') });
        const theirs = await fetch(other.url, {
          method: 'POST',
          body: '"theirs"',
          headers: { 'content-type': 'application/json' },
        });
        assert.equal(await theirs.text(), 'theirs');
        other.child.kill('SIGKILL');
        await gone(other.pids, 5_000);
        await eventually('load goes on', () => load.started >= 60);
        const answers = await load.stop();
        assert.deepEqual(failuresOf(answers), []);
        assert.ok(answers.every((a) => a.text === 'mine'));
      }),
    ));
});

describe('a kept folder', () => {
  it('serves a second run: what the first declared is not there any more', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sinter-kept-'));
    try {
      for (const path of ['/first', '/second'])
        await withLab({ stateFolder: folder }, async (lab) => {
          for (const text of ['one', 'two']) {
            await lab.apply(app({ functions: { front: `export default () => '${text}'` }, path }));
            assert.equal((await lab.call(path)).text, text);
          }
          const other = await lab.call(path === '/first' ? '/second' : '/first');
          assert.equal(other.code, 'NoSuchPath');
        });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
