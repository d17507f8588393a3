/** Bad input (docs: "Bad input and what it gets") on a live run: each gets its message, and what runs goes on untouched. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RawObject } from '../../operator/src/local/run.ts';
import { app, edgeOf, errorsOf, httpTrigger, withLab } from './harness.ts';
import type { Lab } from './harness.ts';

type Fields = Readonly<Record<string, unknown>>;

const good = app({
  functions: { front: (input, ctx) => ctx.call('back', input), back: () => 'still here' },
  edges: ['front>back'],
});

/** The good objects with another spec for one of them. */
const changed = (kind: string, name: string, change: (spec: Fields) => Fields): readonly RawObject[] =>
  good.map((o) =>
    o['kind'] === kind && (o['metadata'] as Fields)['name'] === name
      ? { ...o, spec: change(o['spec'] as Fields) }
      : o,
  );
const workflow = (change: Fields): readonly RawObject[] =>
  changed('Workflow', 'flow', (spec) => ({ ...spec, ...change }));
const back = (change: Fields): readonly RawObject[] =>
  changed('Function', 'back', (spec) => ({ ...spec, ...change }));
const module = (type: string, source: Fields): readonly RawObject[] =>
  back({ artifacts: [{ name: 'x', type, module: source }] });
const edges = (...list: readonly RawObject[]): readonly RawObject[] => workflow({ edges: list });
const cron = (spec: Fields): readonly RawObject[] =>
  workflow({ triggers: [{ name: 'clock', to: 'front', type: 'Cron', cron: spec }] });

/** Beside the good ones; the field, what was given, and what is allowed or to be done. */
const CASES: Readonly<
  Record<string, { readonly given: readonly RawObject[]; readonly says: readonly RegExp[] }>
> = {
  'an edge to a function that is not in the list': {
    given: edges(edgeOf('front>bakc')),
    says: [/edges/, /bakc/, /functions/],
  },
  'a duplicate edge': {
    given: edges(edgeOf('front>back'), edgeOf('front>back')),
    says: [/edges/, /front/, /back/],
  },
  'a sync cycle': {
    given: edges(edgeOf('front>back'), edgeOf('back>front')),
    says: [/spec\.edges/, /front → back → front|back → front → back/, /Async/],
  },
  'a module with two sources': {
    given: module('JavaScript', { inline: 'export default () => 1', configMap: { name: 'c', key: 'k' } }),
    says: [/module/, /inline/, /configMap/, /one/],
  },
  'a container, which nothing here can run': {
    given: back({
      artifacts: [
        { name: 'x', type: 'Container', container: { image: 'example.org/x', architectures: ['s390x'] } },
      ],
    }),
    says: [/artifacts\[0\]/, /s390x|container/],
  },
  'a deferral on a Sync edge': {
    given: edges(edgeOf('front>back', { deferral: { startDeadlineSeconds: 5 } })),
    says: [/deferral/, /Async/],
  },
  'a start deadline of zero': {
    given: edges(edgeOf('front~back', { deferral: { startDeadlineSeconds: 0 } })),
    says: [/startDeadlineSeconds/, /0/],
  },
  'a cron that cannot be parsed': {
    given: cron({ schedule: '0 25 * * *', timeZone: 'Europe/Berlin' }),
    says: [/triggers\[0\]\.cron\.schedule/, /0 25 \* \* \*|25/],
  },
  'a time zone that cannot be parsed': {
    given: cron({ schedule: '0 3 * * *', timeZone: 'Europe/Atlantis' }),
    says: [/triggers\[0\]\.cron\.timeZone/, /Europe\/Atlantis/, /Europe\/Berlin/],
  },
  'a trigger without auth': {
    given: workflow({ triggers: [{ name: 'web', to: 'front', type: 'Http', http: { path: '/' } }] }),
    says: [/http\.auth/, /must be/, /'None', 'Jwt', 'Key'/],
  },
  'a reference to a Function that is not there': {
    given: workflow({ functions: [{ name: 'front' }, { name: 'back', functionRef: { name: 'bak' } }] }),
    says: [/functions\[1\]\.functionRef\.name/, /'bak'/, /did you mean 'back'/],
  },
  'a reference to a ConfigMap that is not there': {
    given: module('JavaScript', { configMap: { name: 'gone', key: 'a.mjs' } }),
    says: [/configMap\.name/, /'gone'/, /create it/],
  },
  'a reference to a ConfigMap key that is not there': {
    given: [
      ...module('JavaScript', { configMap: { name: 'code', key: 'a.mjs' } }),
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'code', namespace: 'lab' },
        data: { 'b.mjs': '' },
      },
    ],
    says: [/configMap\.key/, /'a\.mjs'/, /b\.mjs/],
  },
  'a WASM module that does not validate': {
    given: module('Wasm', { inline: Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 99, 99]).toString('base64') }),
    says: [/artifacts\[0\]\.module\.inline/, /WASM|WebAssembly/i],
  },
  'a handler without a default export': {
    given: module('JavaScript', { inline: 'export const handler = () => 1;' }),
    says: [/artifacts\[0\]\.module\.inline/, /handler/, /export default/],
  },
  'a name with a dot': {
    given: [...good, { ...(good[0] ?? {}), metadata: { name: 'my.function', namespace: 'lab' } }],
    says: [/metadata\.name/, /my\.function/, /dot|label|a-z/],
  },
  'a module that throws when it is loaded': {
    given: module('JavaScript', { inline: "export default () => 1;\nthrow new Error('not on my watch');" }),
    says: [/back/, /not on my watch/, /what ran before goes on/],
  },
};

describe('bad input on a live run', () => {
  const live: { lab?: Lab; pids?: readonly number[]; end?: () => void; ended?: Promise<void> } = {};
  before(async () => {
    await new Promise<void>((ready, failed) => {
      live.ended = withLab({}, async (lab) => {
        await lab.apply(good);
        Object.assign(live, { lab, pids: lab.hostPids() });
        const end = new Promise<void>((resolve) => (live.end = resolve));
        ready();
        await end;
      });
      live.ended.catch(failed);
    });
  });
  after(async () => {
    live.end?.();
    await live.ended;
  });

  const goesOn = async (lab: Lab): Promise<void> => {
    const answer = await lab.call('/');
    assert.deepEqual([answer.status, answer.text], [200, 'still here']);
    assert.deepEqual(lab.hostPids(), live.pids, 'the same processes run');
  };

  for (const [name, { given, says }] of Object.entries(CASES))
    it(name, async () => {
      const { lab } = live;
      assert.ok(lab);
      const errors = errorsOf(await lab.run.apply(given));
      assert.ok(errors.length > 0, 'it is refused');
      for (const pattern of says)
        assert.ok(
          errors.some((e) => pattern.test(e)),
          `${String(pattern)} in: ${errors.join('\n')}`,
        );
      await goesOn(lab);
    });

  it('two workflows with the same path: the one that ran before keeps it', async () => {
    const { lab } = live;
    assert.ok(lab);
    const rival = app({ name: 'a-rival', functions: { usurper: () => 'mine now' } });
    const report = await lab.run.apply([...rival, ...good]);
    const conflict = report.findings.filter((f) => f.reason === 'PathConflict');
    assert.deepEqual(
      conflict.map((f) => f.object.name),
      ['a-rival'],
    );
    assert.match(
      conflict[0]?.message ?? '',
      /http\.path: '\/' .*Workflow lab\/flow; choose another path or host/,
    );
    await goesOn(lab);
    const apart = await lab.run.apply([
      ...app({
        name: 'a-rival',
        functions: { usurper: () => 'mine now' },
        workflow: { triggers: [httpTrigger('usurper', '/rival')] },
      }),
      ...good,
    ]);
    assert.deepEqual(errorsOf(apart), []);
    assert.equal((await lab.call('/rival')).text, 'mine now');
    await goesOn(lab);
  });

  it('what is mended runs', async () => {
    const { lab } = live;
    assert.ok(lab);
    const mended = module('JavaScript', { inline: "export default () => 'mended';" });
    assert.deepEqual(errorsOf(await lab.run.apply(mended)), []);
    assert.equal((await lab.call('/')).text, 'mended');
  });
});
