/** The tool from outside: what it says and with which code it ends, for every class of mistake. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folderWith, sinter, TRAFFIC } from './sinter.ts';

/** A kubeconfig with one context, whose API server is not there. */
const KUBECONFIG = fileURLToPath(new URL('fixtures/kubeconfig.yaml', import.meta.url));

/** Neither runs nor a cluster. */
const nowhere = (folder: string): Readonly<Record<string, string>> => ({
  XDG_RUNTIME_DIR: folder,
  KUBECONFIG: join(folder, 'no-kubeconfig'),
  KUBERNETES_SERVICE_HOST: '',
});

const table: Readonly<Record<string, readonly [readonly string[], number, RegExp]>> = {
  'no command': [[], 2, /Usage: sinter/],
  'an unknown command': [['rn', 'x'], 2, /unknown command 'rn'\n\(Did you mean run\?\)/],
  'an unknown option': [
    ['run', 'x', '--machine', '2'],
    2,
    /unknown option '--machine'\n\(Did you mean --machines\?\)/,
  ],
  'a missing argument': [['run'], 2, /missing required argument 'path'/],
  'an argument too many': [['explain', 'a', 'b'], 2, /too many arguments/],
  'a number that is none': [['run', 'x', '--machines', 'two'], 2, /must be a whole number from 0 to 64/],
  'a port that is none': [['run', 'x', '--port', '65536'], 2, /must be a whole number from 0 to\s65535/],
  'a timeout of zero': [['invoke', 'a/b', '--timeout', '0'], 2, /number of seconds above 0/],
  'plan without a file': [['plan'], 2, /option '-f, --filename <path>' or '--snapshot <file>' is needed/],
  'invoke without a function': [['invoke', 'traffic'], 2, /'traffic' must be WORKFLOW\/FUNCTION/],
  'a header that is none': [['invoke', 'a/b', '-H', 'x'], 2, /'x' must be 'Name: value'/],
  'a path that is not there': [
    ['plan', '-f', '/nowhere'],
    1,
    /\/nowhere .*\n {2}is not there; write the path/,
  ],
  'an input that is not there': [
    ['invoke', 'a/b', '-d', '@/nowhere'],
    1,
    /'@\/nowhere' cannot be read \(ENOENT\)/,
  ],
  'invoke without a run and a cluster': [
    ['invoke', 'a/b'],
    4,
    /no run was found on this machine, and no kubeconfig; start a run with 'sinter run\s+PATH' .* --kubeconfig\s+FILE/s,
  ],
  'explain without a run and a cluster': [
    ['explain', 'a'],
    4,
    /no run was found on this machine, and no kube/,
  ],
  'explain of a cluster without a kubeconfig': [
    ['explain', 'a', '--cluster'],
    1,
    /there is no kubeconfig at \S+\/no-kubeconfig; name one with --kubeconfig\s+FILE or \$KUBECONFIG/,
  ],
  'a kubeconfig that is not there': [
    ['plan', '-f', TRAFFIC, '--kubeconfig', '/nowhere'],
    1,
    /--kubeconfig: '\/nowhere' is not there; write the path of a kubeconfig/,
  ],
  'a context that is not there': [
    ['explain', 'a', '--kubeconfig', KUBECONFIG, '--context', 'b'],
    1,
    /has no context 'b'; it\s+has: only/,
  ],
  'an API server that is not there': [
    ['explain', 'a', '--kubeconfig', KUBECONFIG],
    1,
    /the API server at https:\/\/127\.0\.0\.1:1 is not reachable \(.*ECONNREFUSED.*kubectl config get-contexts/s,
  ],
  'a run and a cluster at once': [
    ['explain', 'a', '--run', '1', '--context', 'b'],
    2,
    /option '--context <name>' cannot be used with option '--run <pid\|file>'/,
  ],
  'machines of a cluster': [
    ['plan', '-f', TRAFFIC, '--cluster', '--machines', '2'],
    2,
    /option '--cluster' cannot be used with option '--machines <n>'/,
  ],
  'an exit code for nothing to compare with': [
    ['plan', '-f', TRAFFIC, '--exit-code'],
    2,
    /'--exit-code' compares with what runs; add '--cluster'/,
  ],
  'a gateway that is no URL': [
    ['invoke', 'a/b', '--gateway', 'localhost:8080'],
    2,
    /--gateway: 'localhost:8080' must be a URL like http:/,
  ],
  'a gateway that is not there': [
    ['invoke', 'a/b', '--gateway', 'http://127.0.0.1:1'],
    3,
    /the gateway at http:\/\/127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/,
  ],
  'a run that is not there': [['explain', 'a', '--run', '4194305'], 4, /no run with process id 4194305/],
  'waiting without async': [['invoke', 'a/b', '--wait'], 2, /'--wait' goes with '--async'/],
  'a file that is no state file': [
    ['explain', 'a', '--run', fileURLToPath(import.meta.url)],
    4,
    /neither\s+a\s+process\s+id\s+nor\s+the\s+state\s+file/,
  ],
  'a run that is no state file': [
    ['explain', 'a', '--run', '/nowhere'],
    4,
    /neither\s+a\s+process\s+id\s+nor\s+the\s+state\s+file/,
  ],
};

describe('a mistake', { concurrency: 2 }, () => {
  for (const [sentence, [words, code, says]] of Object.entries(table)) {
    test(`${sentence}: exit code ${String(code)}`, async () => {
      await using runs = await folderWith();
      const ended = await sinter(words, { env: nowhere(runs.path) });
      assert.match(ended.err, says);
      assert.ok(
        ended.err.split('\n').every((line) => line.length <= 100),
        ended.err,
      );
      assert.equal(ended.out, '');
      assert.equal(ended.code, code);
    });
  }
});

describe('no mistake', { concurrency: 2 }, () => {
  test('version, as a command and as an option', async () => {
    assert.match((await sinter(['version'])).out, /^sinter \d+\.\d+\.\d+ \(Node \d+/);
    const ended = await sinter(['--version']);
    assert.match(ended.out, /^\d+\.\d+\.\d+\n$/);
    assert.equal(ended.code, 0);
  });

  test('help names every command and exit code, within 100 columns', async () => {
    const { out, code } = await sinter(['help']);
    for (const word of ['run', 'demo', 'invoke', 'plan', 'explain', 'version', 'Exit codes:'])
      assert.match(out, new RegExp(word));
    assert.ok(out.split('\n').every((line) => line.length <= 100));
    assert.equal(code, 0);
  });

  test('what speaks to clusters is loaded only by who asks one', async () => {
    const hook =
      "import { registerHooks } from 'node:module'; let n = 0;" +
      "registerHooks({ load: (url, at, next) => { n += url.includes('/kube/') ? 1 : 0; return next(url, at); } });" +
      "process.on('exit', () => process.stderr.write('kube ' + n + '\\n'));";
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`;
    for (const [words, says] of [
      [['version'], /^kube 0$/m],
      [['run', '/nowhere'], /^kube 0$/m],
      [['demo', '/nowhere'], /^kube 0$/m],
      [['plan', '-f', '/nowhere'], /^kube 0$/m],
      [['explain', 'a', '--kubeconfig', KUBECONFIG], /^kube [1-9]/m],
    ] as const) {
      const { err } = await sinter(words, { env: { NODE_OPTIONS } });
      assert.match(err, says, words.join(' '));
    }
  });

  test('a reader that goes away early is no defect', () => {
    const launcher = new URL('../bin/sinter.mjs', import.meta.url).pathname;
    const script = '"$0" "$1" plan -f "$2" --json | head -c 10';
    const out = execFileSync('/bin/sh', ['-c', script, process.execPath, launcher, TRAFFIC], {
      encoding: 'utf8',
    });
    assert.equal(out.length, 10);
  });
});

/** A Node on PATH that cannot run the source itself. */
function olderNode(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
    .find(
      (path) => Number(/^v(\d+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1]) < 24,
    );
}

const older = olderNode();

test(
  'an older Node starts the pinned one and passes code and output on',
  { skip: older === undefined && 'there is none on PATH' },
  async () => {
    const version = await sinter(['version'], { node: older ?? '' });
    assert.match(version.out, /Node 2[4-9]/);
    const wrong = await sinter(['plan', '-f', '/nowhere'], { node: older ?? '' });
    assert.equal(wrong.code, 1);
  },
);
