/** Functions whose code is a file of an image, pulled by their own host from a real registry on this machine (D18). */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import {
  NO_REGISTRY,
  PASSWORD,
  USER,
  dockerConfig,
  image,
  layer,
  referenceTo,
  startRegistry,
} from '../../runtimes/host/test/registry.ts';
import type { TestRegistry } from '../../runtimes/host/test/registry.ts';
import type { RawObject } from '../../operator/src/local/run.ts';
import { NAMESPACE, app, moduleOf, withLab } from './harness.ts';
import type { Lab } from './harness.ts';
import { oldHost } from './oldHost.ts';

const TEXT = { 'content-type': 'text/plain' };
const probe = new URL('../../runtimes/host/src/threads/testModules/probe.wasm', import.meta.url);

describe('a function out of an image', { skip: NO_REGISTRY }, () => {
  let open: TestRegistry;
  let closed: TestRegistry;
  /** In the open registry, and in the one that wants credentials. */
  let reference: string;
  let secretReference: string;
  before(async () => {
    [open, closed] = await Promise.all([startRegistry(), startRegistry({ auth: true })]);
    const files = {
      'app/': null,
      'app/hello.mjs': moduleOf((input) => `hello ${String(input)}`),
      'app/wrong.mjs': 'export const notTheDefault = 1;',
      'app/wrong.wasm': 'no WASM at all',
      'app/probe.wasm': await readFile(probe),
    };
    const pushed = await Promise.all(
      [open, closed].map(async (r) => referenceTo(r.host, await image(r, [await layer(r, files)]))),
    );
    [reference = '', secretReference = ''] = pushed;
  });
  after(() => Promise.all([open.stop(), closed.stop()]));

  const fromImage = (
    path: string,
    { type = 'JavaScript', from = reference, more = {} }: Given = {},
  ): readonly RawObject[] => {
    const artifacts = [{ name: 'img', type, module: { image: { reference: from, path } } }];
    return app({ functions: { hello: { code: '', spec: { artifacts, ...more } } } });
  };
  interface Given {
    readonly type?: string;
    readonly from?: string;
    readonly more?: RawObject;
  }
  /** What the run says against the objects. */
  const problemsOf = async (lab: Lab, objects: readonly RawObject[]): Promise<string> => {
    const report = await lab.run.apply(objects);
    return report.workflows
      .flatMap((w) => w.findings)
      .filter((f) => f.severity === 'Error')
      .map((f) => `${f.reason}: ${f.message}`)
      .join('\n');
  };

  it('runs, and is another unit where the digest is another, not where the tag is', async () => {
    await withLab({}, async (lab) => {
      const first = await lab.apply(fromImage('/app/hello.mjs'));
      assert.equal((await lab.call('/', 'you', TEXT)).text, 'hello you');
      const tagged = reference.replace('@', ':v7@');
      const same = await lab.apply(fromImage('/app/hello.mjs', { from: tagged }));
      assert.equal(same.hash, first.hash);
    });
  });

  it('is pulled with the pull secrets of its template', async () => {
    await withLab({}, async (lab) => {
      const more = { template: { spec: { imagePullSecrets: [{ name: 'registry' }] } } };
      const objects = fromImage('/app/hello.mjs', { from: secretReference, more });
      const refused = await problemsOf(lab, objects);
      assert.match(
        refused,
        /UnitFailed: .*Unauthorized: module \/app\/hello\.mjs of image .*imagePullSecrets/,
      );
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'registry', namespace: NAMESPACE },
        type: 'kubernetes.io/dockerconfigjson',
        stringData: { '.dockerconfigjson': dockerConfig({ [closed.host]: [USER, PASSWORD] }) },
      };
      await lab.apply([...objects, secret]);
      assert.equal((await lab.call('/', 1)).text, 'hello 1');
      assert.ok(!lab.logs.some((l) => l.message.includes(PASSWORD)));
    });
  });

  it('that cannot be had, or is none, is told in the words of its unit; what ran goes on', async () => {
    await withLab({}, async (lab) => {
      await lab.apply(fromImage('/app/hello.mjs'));
      const nowhere = reference.replace(/[0-9a-f]{64}$/, '0'.repeat(64));
      const rows: Readonly<Record<string, readonly [readonly RawObject[], RegExp]>> = {
        'another path': [
          fromImage('/app/hallo.mjs'),
          /UnitFailed: .*PathNotInImage: module \/app\/hallo\.mjs of image .*it has \/app\/hello\.mjs/,
        ],
        'another image': [fromImage('/app/hello.mjs', { from: nowhere }), /UnitFailed: .*ImageNotFound: /],
        'no default export': [fromImage('/app/wrong.mjs'), /UnitFailed: .*default/],
        'no WASM': [fromImage('/app/wrong.wasm', { type: 'Wasm' }), /UnitFailed: .*could not be loaded/],
        'a tag alone': [
          fromImage('/app/hello.mjs', { from: reference.replace(/@.*/, ':v1') }),
          /ImageWithoutDigest: spec\.artifacts\[0\]\.module\.image\.reference/,
        ],
      };
      for (const [name, [objects, says]] of Object.entries(rows)) {
        assert.match(await problemsOf(lab, objects), says, name);
        assert.equal((await lab.call('/', name, TEXT)).text, `hello ${name}`);
      }
    });
  });

  it('may be WASM', async () => {
    await withLab({}, async (lab) => {
      await lab.apply(fromImage('/app/probe.wasm', { type: 'Wasm' }));
      assert.equal((await lab.call('/', 'echo you', TEXT)).text, 'you');
    });
  });

  it('is refused by a host of contract version 1, which says what it was given', async () => {
    await using old = await oldHost();
    await withLab({ hostBundle: () => old.bundle }, async (lab) => {
      const says = await problemsOf(lab, fromImage('/app/hello.mjs'));
      assert.match(
        says,
        /UnitFailed: .*module 127\.0\.0\.1:\d+\/team\/cars@sha256:\w+ of namespace lab: a module is named by 64/,
      );
    });
  });
});
