import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import { createKeys } from '../../bus/keys.ts';
import { hubManager, provisionAsync } from '../../bus/provision.ts';
import { startServers } from './servers.ts';
import { startTestBus, withBus } from './testBus.ts';

const traffic = { namespace: 'default', workflow: 'traffic' };

describe('servers of a local run', () => {
  it('listen on loopback only, with secrets that only the user can read', () =>
    withBus(
      async (bus) => {
        const listening = await listeners([bus.servers.pidOf('hub'), bus.servers.pidOf('m1')]);
        assert.ok(listening.length >= 3);
        assert.deepEqual([...new Set(listening)], ['0100007F']);
        for (const file of ['hub.conf', 'm1.conf', 'm1.creds']) {
          assert.equal((await stat(join(bus.folder, file))).mode & 0o777, 0o600, file);
        }
      },
      { machines: ['m1'] },
    ));

  it('keep address and data over kill -9 and restart, and clients come back by themselves', () =>
    withBus(
      async (bus) => {
        const nc = await bus.connectOperator();
        await provisionAsync(nc, traffic, [{ fn: 'q' }]);
        const js = jetstream(nc, { domain: 'hub' });
        for (let i = 0; i < 100; i++) await js.publish(`work.default.traffic.q._gateway.c${i}`, 'x');
        const url = bus.servers.hub.url;
        await bus.servers.kill('hub');
        assert.equal(bus.servers.pidOf('hub'), undefined);
        await bus.servers.restart('hub');
        await bus.servers.restart('m1');
        assert.equal(bus.servers.hub.url, url);
        await until(() => nc.rtt().then(Boolean, () => false));
        const { state } = await (await hubManager(nc)).streams.info('A_default_traffic_q');
        assert.equal(state.messages, 100);
      },
      { machines: ['m1'] },
    ));

  it('say when one ends by itself, with the end of its log', async () => {
    const lost: string[] = [];
    await withBus(
      async (bus) => {
        process.kill(bus.servers.pidOf('m1') ?? 0, 'SIGTERM');
        await until(() => lost.length > 0);
        assert.equal(bus.servers.pidOf('m1'), undefined);
        await bus.servers.restart('m1');
      },
      { machines: ['m1'], onLost: (name, problem) => lost.push(name, problem) },
    );
    assert.equal(lost[0], 'm1');
    assert.match(lost[1] ?? '', /Server Exiting/);
    assert.equal(lost.length, 2, 'what is asked to end is not lost');
  });

  it('leave no process and no file behind', async () => {
    const bus = await startTestBus({ machines: ['m1', 'm2'] });
    const pids = ['hub', 'm1', 'm2'].map((name) => bus.servers.pidOf(name) ?? 0);
    await bus.stop();
    for (const pid of pids) assert.equal(await isAlive(pid), false);
    await assert.rejects(stat(bus.folder), { code: 'ENOENT' });
    await bus.servers.stop();
  });

  it('end when the process that started them is killed', async () => {
    const code = `
      import { startTestBus } from ${JSON.stringify(new URL('testBus.ts', import.meta.url).href)};
      const bus = await startTestBus({ machines: ['m1'] });
      console.log(JSON.stringify([bus.folder, bus.servers.pidOf('hub'), bus.servers.pidOf('m1')]));
      setInterval(() => undefined, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await firstLine(parent.stdout);
    const [folder, ...pids] = JSON.parse(line) as [string, number, number];
    try {
      for (const pid of pids) assert.equal(await isAlive(pid), true);
      parent.kill('SIGKILL');
      await until(async () => !(await isAlive(pids[0])) && !(await isAlive(pids[1])));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('say what is wrong when one does not come up', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sinter-bus-'));
    const path = join(folder, 'nats-server');
    await writeFile(path, '#!/bin/sh\necho "no space left on this machine" >&2\nexit 3\n', { mode: 0o755 });
    const start = startServers({ folder, machines: [], keys: createKeys(), natsServer: path });
    await assert.rejects(start, { name: 'ServerNotReady', message: /hub ended with 3\n.*no space left/s });
    await rm(folder, { recursive: true });
  });

  it('refuse machines that cannot be told apart', async () => {
    const start = (machines: string[]) =>
      startServers({ folder: '/', machines, keys: createKeys(), natsServer: 'x' });
    await assert.rejects(start(['m1', 'm1']), /m1 is there twice/);
    await assert.rejects(start(['hub']), /hub is there twice/);
  });

  it('wait for a port that somebody took while one was down', () =>
    withBus(async (bus) => {
      await bus.servers.kill('hub');
      const thief = createServer((socket) => socket.destroy());
      const port = Number(new URL(bus.servers.hub.url).port);
      await new Promise<void>((resolve) => thief.listen(port, '127.0.0.1', resolve));
      const back = bus.servers.restart('hub');
      const log = join(bus.folder, 'hub.log');
      await until(async () => (await readFile(log, 'utf8')).includes('address already in use'));
      await new Promise((resolve) => thief.close(resolve));
      await back;
    }));
});

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stream })) return line;
  return '[]';
}

/** A zombie has ended: only its parent has not asked yet. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return !/\) [ZX]/.test(status);
}

/** Addresses (as the kernel writes them) on which processes listen. */
async function listeners(pids: readonly (number | undefined)[]): Promise<readonly string[]> {
  const inodes = new Set<string>();
  for (const pid of pids) {
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      const { readlink } = await import('node:fs/promises');
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      inodes.add(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '');
    }
  }
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((t) => readFile(`/proc/net/${t}`, 'utf8').catch(() => '')),
  );
  const rows = tables.flatMap((t) => t.split('\n').map((row) => row.trim().split(/\s+/)));
  const LISTEN = '0A';
  return rows
    .filter((r) => r[3] === LISTEN && inodes.has(r[9] ?? ''))
    .map((r) => (r[1] ?? '').split(':')[0] ?? '');
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const limit = Date.now() + 5000;
  while (!(await isSo())) {
    assert.ok(Date.now() < limit, 'it did not happen within 5 s');
    await sleep(5);
  }
}
