/** The graph is the firewall (D11): what a removed edge had granted is refused by the servers themselves, hub and leaves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tokenFacts } from '../../operator/src/bus/tokens.ts';
import type { AppOptions } from '../application.ts';
import { WITHOUT_SINTER, WITHOUT_TESTBED, eventually } from './harness.ts';
import { withLab } from './lab.ts';
import { answersTo, credentialOf } from './servers.ts';

const AMD64 = { placement: { architectures: ['amd64'] } };
const PATIENCE_MS = 240_000;

const functions = {
  root: { code: async (input, ctx) => ctx.call('callee', input), spec: AMD64 },
  callee: { code: () => 'reached', spec: AMD64 },
} satisfies AppOptions['functions'];

describe('the bus of a cluster', { skip: WITHOUT_SINTER || WITHOUT_TESTBED }, () => {
  it('refuses, at hub and leaves, the credential of a unit that is gone with an edge', () =>
    withLab('bus', async (lab) => {
      await lab.deploy({ functions, edges: ['root>callee'] });
      const old = await credentialOf(lab, 'root');
      assert.deepEqual([...new Set(await answersTo(old))], ['taken']);
      await lab.change({ functions, edges: [] });
      await eventually(
        'every server refuses it',
        async () => (await answersTo(old)).every((answer) => answer === 'AuthorizationError'),
        PATIENCE_MS,
        () => answersTo(old),
      );
      assert.ok((tokenFacts(old.jwt)?.expiresAtMs ?? 0) > Date.now(), 'it has not merely expired');
      assert.deepEqual([...new Set(await answersTo(await credentialOf(lab, 'root')))], ['taken']);
    }));
});
