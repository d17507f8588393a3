/** Only declared edges can be called: the host says which one to declare, the bus refuses whoever goes around it (D11). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PermissionViolationError, headers } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { callSubject, unitInbox, workSubject, writeCall } from '../../runtimes/contract/src/index.ts';
import type { UnitScope } from '../../runtimes/contract/src/index.ts';
import { connectAs } from '../../operator/src/bus/connect.ts';
import { signUnit } from '../../operator/src/bus/credentials.ts';
import { NAMESPACE, WORKFLOW, app, eventually, moduleOf, withLab } from './harness.ts';
import type { AppOptions, Lab } from './harness.ts';

const functions = {
  entry: (input, ctx) => ctx.call('middle', input),
  middle: async (input, ctx) => {
    const { go } = input as { readonly go: string };
    if (go === 'call') return ctx.call('secret', input);
    if (go === 'send') return ctx.send('leaf', input);
    return ctx.call('leaf', input);
  },
  leaf: () => 'leaf',
  secret: () => 'secret',
} satisfies AppOptions['functions'];
const edges = ['entry>middle', 'middle>leaf', 'entry>secret'];

const problemOf = async (lab: Lab, go: string): Promise<Readonly<Record<string, unknown>>> => {
  const { text } = await lab.call('/', { go });
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
};

/** As whoever has read the credential of a unit would connect; every refusal is kept. */
async function asUnit(lab: Lab, scope: UnitScope) {
  const credential = signUnit(lab.run.parts.keys(), scope, { nowMs: Date.now() });
  const inbox = unitInbox({ ...scope, instance: 'x' });
  const nc = await connectAs(lab.run.parts.servers.hub.url, credential, { inboxPrefix: inbox });
  const refused: string[] = [];
  void (async () => {
    for await (const status of nc.status())
      if (status.type === 'error' && status.error instanceof PermissionViolationError)
        refused.push(status.error.subject);
  })();
  return { nc, refused, inbox };
}

/** A call frame straight onto a function's subject; gives what comes back within a second. */
async function callRaw(nc: NatsConnection, lab: Lab, fn: string): Promise<string | undefined> {
  const revision = lab.deployment().current?.hash ?? '';
  const h = headers();
  const head = {
    callId: 'raw1',
    rootId: 'raw1',
    revision,
    caller: 'middle',
    hops: 1,
    attempt: 1,
    timeoutMs: 900,
  };
  const payload = { contentType: 'application/json', bytes: new TextEncoder().encode('{}') };
  writeCall(h, { head, payload });
  const subject = callSubject({ namespace: NAMESPACE, workflow: WORKFLOW }, revision, fn);
  const answer = await nc
    .request(subject, payload.bytes, { headers: h, timeout: 1_000 })
    .catch(() => undefined);
  return answer?.string();
}

describe('an edge that is not declared', () => {
  for (const groups of [[], ['entry,middle,leaf,secret']])
    it(`is refused by the host, which says what to declare: ${groups.length > 0 ? 'in one unit' : 'across units'}`, () =>
      withLab({}, async (lab) => {
        await lab.apply(app({ functions, edges, groups }));
        assert.equal((await lab.call('/', { go: '' })).text, 'leaf');
        const undeclared = await problemOf(lab, 'call');
        assert.equal(undeclared['code'], 'FunctionFailed');
        assert.equal(undeclared['reason'], 'EdgeNotDeclared');
        assert.match(
          String(undeclared['detail']),
          /no edge middle → secret is declared: add \{from: middle, to: secret, call: Sync\} to the workflow's edges/,
        );
        const wrongKind = await problemOf(lab, 'send');
        assert.equal(wrongKind['reason'], 'EdgeNotDeclared');
        assert.match(String(wrongKind['detail']), /middle → leaf is declared Sync, and ctx.send needs Async/);
      }));

  it('is refused by the bus', () =>
    withLab({}, async (lab) => {
      await lab.apply(app({ functions, edges }));
      const scope = lab.fleetOf('middle').scope;
      const other = lab.fleetOf('entry').scope;
      const { nc, refused } = await asUnit(lab, scope);
      try {
        assert.equal(await callRaw(nc, lab, 'leaf'), 'leaf', 'the declared edge is open');
        nc.publish(workSubject(scope, 'leaf', 'middle', 'c1'));
        nc.subscribe(`${unitInbox({ ...other, instance: '*' })}.>`);
        assert.equal(await callRaw(nc, lab, 'secret'), undefined);
        await eventually(
          'the server refused all three',
          () => refused.length >= 3,
          5_000,
          () => refused,
        );
        assert.ok(refused.some((s) => s.endsWith('.secret')));
        const ran = lab.run.figures(NAMESPACE, WORKFLOW).functions.map((f) => f.function);
        assert.ok(!ran.includes('secret'));
      } finally {
        await nc.close();
      }
    }));

  it('that was one takes the credential with it; what grants no more than before is left alone', () =>
    withLab({}, async (lab) => {
      const { keys } = lab.run.parts;
      await lab.apply(app({ functions, edges }));
      const { publicKey: first } = lab.fleetOf('middle');
      const middle = `// changed\n${moduleOf(functions.middle)}`;
      await lab.apply(app({ functions: { ...functions, middle }, edges }));
      const { publicKey: second } = lab.fleetOf('middle');
      assert.notEqual(first, second);
      await lab.apply(app({ functions: { ...functions, middle }, edges: ['entry>middle', 'entry>secret'] }));
      await eventually('it is revoked', () => second in keys().revoked);
      assert.ok(!(first in keys().revoked));
    }));
});
