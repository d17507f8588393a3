/**
 * The package as a user gets it: packed, installed from the tarball into a prefix of its own, and run from there with an
 * empty home, by the oldest Node that is at hand.
 *
 * npm takes the Node that comes along from its cache where it has it, else from its registry.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { locateNatsServer } from '@sinter/operator/local/nats/locate';
import { Sinter, sinter, TRAFFIC } from './sinter.ts';
import type { Ended, StartOptions } from './sinter.ts';

const run = promisify(execFile);
const CLI = fileURLToPath(new URL('..', import.meta.url));
const APP = `apiVersion: sinter.dev/v1alpha1
kind: Function
metadata: { name: double }
spec: { artifacts: [{ name: js, type: JavaScript, module: { inline: "export default ({ n }) => 2 * n" } }] }
---
apiVersion: sinter.dev/v1alpha1
kind: Workflow
metadata: { name: sums }
spec: { functions: [{ name: double }] }
`;

let folder: string;
let installed: string;
let options: StartOptions;

/** Node 20 where there is one: the launcher goes on to its own Node from there. */
async function oldestNode(): Promise<string> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), dirname(process.execPath)];
  const found = await Promise.all(
    [...new Set(folders)].map(async (at) => {
      const path = join(at, 'node');
      if (!existsSync(path)) return undefined;
      return { at, major: Number(/^v(\d+)/.exec((await run(path, ['--version'])).stdout)?.[1]) };
    }),
  );
  const usable = found.filter((one) => one !== undefined && one.major >= 20);
  return usable.sort((a, b) => (a?.major ?? 0) - (b?.major ?? 0))[0]?.at ?? '';
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sinter-package-'));
  const [home, temporary, runtime, app] = ['home', 'tmp', 'runtime', 'app'].map((name) => join(folder, name));
  await Promise.all([home, temporary, runtime, app].map((path) => mkdir(path ?? '')));
  // The bundles of host and gateway are there: tests are run after the build.
  await run(process.execPath, [join(CLI, 'scripts', 'pack.ts')]);
  try {
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: CLI });
  } finally {
    await run(process.execPath, [join(CLI, 'scripts', 'pack.ts'), '--clean']);
  }
  const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  await run('npm', [
    'install',
    '--global',
    '--prefix',
    join(folder, 'prefix'),
    ...quiet,
    join(folder, tarball),
  ]);
  installed = join(folder, 'prefix', 'lib', 'node_modules', '@sinter', 'cli');
  const { path } = await locateNatsServer({ env: process.env });
  const bin = join(folder, 'prefix', 'bin');
  options = {
    program: join(bin, 'sinter'),
    cwd: folder,
    env: {
      HOME: home ?? '',
      TMPDIR: temporary ?? '',
      XDG_RUNTIME_DIR: runtime ?? '',
      PATH: [bin, await oldestNode(), '/usr/bin', '/bin'].join(delimiter),
      SINTER_NATS_SERVER: path,
    },
  };
});

after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

const tool = (...words: readonly string[]): Promise<Ended> => sinter(words, options);

describe('the package', () => {
  it('holds the tool and nothing of the machine that packed it', async () => {
    const files = (await readdir(installed, { recursive: true })).filter(
      (name) => !name.startsWith('node_modules'),
    );
    assert.deepEqual(files.filter((name) => !name.includes('/')).sort(), [
      'README.md',
      'bin',
      'dist',
      'package.json',
    ]);
    assert.deepEqual(
      files.filter((name) => /\.map$|\.ts$|\.test\./.test(name) && !name.endsWith('.d.mts')),
      [],
    );
    const scripts = files.filter((name) => /\.m?js$/.test(name));
    assert.ok(scripts.length > 10);
    const root = dirname(CLI.replace(/\/$/, ''));
    for (const name of scripts) {
      const text = await readFile(join(installed, name), 'utf8');
      assert.ok(!text.includes(root) && !text.includes('sourceMappingURL'), name);
    }
  });

  it('depends on nothing but a Node', async () => {
    const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Readonly<
      Record<string, object | undefined>
    >;
    assert.deepEqual([manifest['dependencies'], manifest['peerDependencies']], [undefined, undefined]);
    const names = Object.keys(manifest['optionalDependencies'] ?? {});
    assert.ok(names.length > 0 && names.every((name) => name.startsWith('node-')));
    const notices = await readFile(join(installed, 'dist', 'NOTICES.txt'), 'utf8');
    for (const name of ['commander', 'yaml', 'zod', '@nats-io/transport-node', 'jose'])
      assert.match(notices, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'));
  });
});

describe('the installed tool', () => {
  it('says its version, on a Node of its own', async () => {
    assert.match((await tool('version')).out, /^sinter \d+\.\d+\.\d+ \(Node 24\.\d+\.\d+, /);
  });

  it('is a plugin of kubectl too', async () => {
    const program = join(folder, 'prefix', 'bin', 'kubectl-sinter');
    const { out, err } = await sinter(['help', 'plan'], { ...options, program });
    assert.match(out, /^Usage: kubectl sinter plan/, err);
    const without = await sinter(['explain', 'x'], { ...options, program });
    assert.match(without.err, /^error: there is no kubeconfig at \S+\/home\/\.kube\/config/);
  });

  it('plans as the checkout does', async () => {
    const words = ['plan', '-f', TRAFFIC, '--json'];
    const [packed, here] = await Promise.all([tool(...words), sinter(words)]);
    assert.equal(packed.out, here.out);
    assert.equal(packed.code, 0, packed.err);
  });

  it('runs manifests, takes calls, explains, and leaves nothing behind', async () => {
    const app = join(folder, 'app', 'app.yaml');
    await writeFile(app, APP);
    const running = new Sinter(['run', 'app'], options);
    await running.until(/files are watched/, 60_000);
    assert.match(running.out, /^ {2}sinter invoke sums\/double/m, 'what can be pasted can be typed');
    const [called, explained] = await Promise.all([
      tool('invoke', 'sums/double', '-d', '{"n":21}'),
      tool('explain', 'sums'),
    ]);
    assert.deepEqual([called.out, called.code], ['42', 0], called.err);
    assert.match(explained.out, /^default\/sums {2}plan [0-9a-f]{10}$/m);
    running.process.kill('SIGINT');
    const { code, err } = await running.ended;
    assert.equal(code, 0, err);
    const left = await Promise.all(['home', 'tmp', 'runtime'].map((name) => readdir(join(folder, name))));
    assert.deepEqual(left, [[], [], []]);
  });

  it('shows its demo', async () => {
    // The example that comes along, with fewer calls.
    const demo = join(folder, 'demo');
    await cp(join(installed, 'dist', 'examples', 'traffic'), demo, { recursive: true });
    const readings = join(demo, 'readings', 'readings.jsonl');
    const lines = (await readFile(readings, 'utf8')).split('\n').slice(0, 10);
    await writeFile(readings, `${lines.join('\n')}\n`);
    const { code, out, err } = await tool('demo', demo, '--json', '--seconds', '5');
    assert.equal(code, 0, err);
    const { plans } = JSON.parse(out) as {
      readonly plans: readonly { readonly calls: { readonly ok: number } }[];
    };
    assert.ok(plans.length > 0 && plans.every((p) => p.calls.ok === 10), out);
  });
});
