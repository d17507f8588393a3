/** What a run answers to other commands, and to whom. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Control, ControlRefusal } from './control.ts';

const TOKEN = 'token-of-the-run';
const pinned: string[] = [];
let control: Control;

before(async () => {
  control = await Control.start(
    {
      snapshot: ({ namespace, workflow }) => {
        if (workflow === 'broken') throw new Error('a defect');
        if (workflow !== 'wf') throw new ControlRefusal(404, `there is no ${namespace}/${workflow}`);
        return '{"a":1}';
      },
      choose: (workflow, hash) => {
        if (hash === '0000000000') return Promise.reject(new ControlRefusal(409, 'not that one'));
        pinned.push(`${workflow.namespace}/${workflow.workflow} ${hash}`);
        return Promise.resolve('0123456789');
      },
    },
    TOKEN,
  );
});
after(() => control.stop());

const ask = async (
  method: string,
  path: string,
  body?: string,
  token: string | undefined = TOKEN,
): Promise<readonly [number, unknown]> => {
  const answer = await fetch(control.url + path, {
    method,
    ...(body === undefined ? {} : { body }),
    headers: token === '' ? {} : { authorization: `Bearer ${token}` },
  });
  return [answer.status, await answer.json()];
};
const message = (says: string): unknown => ({ message: says });

describe('the control of a run', () => {
  it('gives snapshots, and has plans run', async () => {
    assert.deepEqual(await ask('GET', '/snapshots/ns/wf'), [200, { a: 1 }]);
    assert.deepEqual(await ask('PUT', '/plans/ns/wf', '{"hash":"0123456789"}'), [
      200,
      { hash: '0123456789' },
    ]);
    assert.deepEqual(await ask('PUT', '/plans/ns/wf', '{"hash":""}'), [200, { hash: '0123456789' }]);
    assert.deepEqual(pinned, ['ns/wf 0123456789', 'ns/wf ']);
  });

  it('says in words what cannot be done', async () => {
    assert.deepEqual(await ask('GET', '/snapshots/ns/other'), [404, message('there is no ns/other')]);
    assert.deepEqual(await ask('PUT', '/plans/ns/wf', '{"hash":"0000000000"}'), [
      409,
      message('not that one'),
    ]);
    assert.deepEqual(await ask('GET', '/snapshots/ns/broken'), [500, message('a defect')]);
  });

  it('refuses what it does not understand', async () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/snapshots/ns'],
      ['GET', '/snapshots/ns/wf/more'],
      ['POST', '/snapshots/ns/wf'],
      ['GET', '/plans/ns/wf'],
      ['GET', '/%00/ns/wf'],
    ] as const)
      assert.equal((await ask(method, path))[0], 404, `${method} ${path}`);
    for (const body of [
      '',
      '{',
      '[]',
      '{"hash":1}',
      '{"hash":"x"}',
      `{"hash":"${'0'.repeat(11)}"}`,
      ' '.repeat(9_999),
    ])
      assert.equal((await ask('PUT', '/plans/ns/wf', body))[0], 400, body.slice(0, 40));
  });

  it('tells nothing without the token', async () => {
    for (const token of ['', 'x', `${TOKEN}x`])
      for (const path of ['/snapshots/ns/wf', '/snapshots/ns/other', '/'])
        assert.equal((await ask('GET', path, undefined, token))[0], 401, `'${token}' ${path}`);
  });
});
