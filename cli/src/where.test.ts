/** The rule by which a command is about a run or about a cluster. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeState, runsFolder, stateFileOf } from '@sinter/operator/local/stateFile';
import { folderWith, keptTerminal } from '../test/sinter.ts';
import type { KeptTerminal } from '../test/sinter.ts';
import { Refusal } from './exit.ts';
import { calledAs } from './terminal.ts';
import { whereIs } from './where.ts';

const NOTHING = { cluster: false, context: undefined, kubeconfig: undefined, namespace: undefined };

interface World {
  readonly run?: true;
  readonly kubeconfig?: true;
  readonly command?: KeptTerminal['command'];
}

/** What is chosen on a machine with or without a run and a kubeconfig. */
async function chosen(flags: Partial<Parameters<typeof whereIs>[0]>, world: World = {}): Promise<string> {
  await using folder = await folderWith(world.kubeconfig ? { kubeconfig: '' } : {});
  const outer = process.env['XDG_RUNTIME_DIR'];
  process.env['XDG_RUNTIME_DIR'] = join(folder.path, 'runtime');
  await mkdir(join(folder.path, 'runtime'));
  try {
    if (world.run) {
      const state = { version: 1, pid: process.pid, startedAt: '', workflows: [] } as const;
      const gateway = { url: '', token: '' };
      await writeState(stateFileOf(runsFolder(), process.pid), { ...state, gateway });
    }
    const terminal = {
      ...keptTerminal(),
      environment: { KUBECONFIG: join(folder.path, 'kubeconfig') },
      command: world.command ?? 'sinter',
    };
    const where = await whereIs({ ...NOTHING, run: undefined, ...flags }, terminal);
    return terminal.err.text === '' ? where : `${where}, and says so`;
  } catch (cause) {
    assert.ok(cause instanceof Refusal);
    return cause.message;
  } finally {
    if (outer === undefined) delete process.env['XDG_RUNTIME_DIR'];
    else process.env['XDG_RUNTIME_DIR'] = outer;
  }
}

const both: World = { run: true, kubeconfig: true };
const TABLE: Readonly<Record<string, readonly [Parameters<typeof chosen>[0], World, RegExp]>> = {
  '--run means a run, also where there is none yet': [{ run: '1' }, { kubeconfig: true }, /^Run$/],
  '--run means a run, also as a plugin': [{ run: '1' }, { command: 'kubectl sinter' }, /^Run$/],
  '--cluster means a cluster, whatever runs': [{ cluster: true }, both, /^Cluster$/],
  '--context means a cluster, whatever runs': [{ context: 'x' }, both, /^Cluster$/],
  '--kubeconfig means a cluster, whatever runs': [{ kubeconfig: 'x' }, both, /^Cluster$/],
  'kubectl sinter means a cluster, whatever runs': [{}, { ...both, command: 'kubectl sinter' }, /^Cluster$/],
  'a run goes before a cluster where nothing is said': [{}, both, /^Run$/],
  'a namespace says nothing': [{ namespace: 'x' }, both, /^Run$/],
  'the cluster is asked where nothing runs': [{}, { kubeconfig: true }, /^Cluster, and says so$/],
  'both ways are told where there is neither': [{}, {}, /sinter run PATH.*--kubeconfig FILE/],
};

for (const [sentence, [flags, world, expected]] of Object.entries(TABLE)) {
  test(sentence, async () => {
    assert.match(await chosen(flags, world), expected);
  });
}

test('the name of the program says how it is called', () => {
  assert.equal(calledAs('/usr/local/bin/kubectl-sinter', false), 'kubectl sinter');
  assert.equal(calledAs('/home/a/kubectl_sinter', false), 'kubectl sinter');
  assert.equal(calledAs('/usr/local/bin/sinter', false), 'sinter');
  assert.equal(calledAs('/repo/cli/bin/sinter.mjs', true), 'npx sinter');
});
