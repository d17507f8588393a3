/** The two functions with two artifacts: WebAssembly and JavaScript answer and refuse with the same bytes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parsed, loadHandlers, readings, readingWith, root, textOf, throughJson } from './in-memory.ts';
import type { Handler } from './in-memory.ts';
import { importsOf, moduleOf, runCommand, type Answer } from './wasi.ts';

const TWINS = ['check-working', 'check-sound-accident'] as const;
const handlers = await loadHandlers();
const modules = new Map(TWINS.map((name) => [name, moduleOf(name)]));
const noContext = {} as Parameters<Handler>[1];

const byJavaScript = async (name: string, input: string): Promise<Answer> => {
  const handler = handlers.get(name);
  assert.ok(handler);
  try {
    const output = throughJson(await handler(parsed(input), noContext));
    return { exitCode: 0, stdout: JSON.stringify(output), stderr: '' };
  } catch (error) {
    assert.ok(error instanceof Error);
    return { exitCode: 1, stdout: '', stderr: error.message };
  }
};

const byWasm = (name: (typeof TWINS)[number], input: string): Answer => {
  const module = modules.get(name);
  assert.ok(module);
  return runCommand(module, input);
};

const assertTwins = async (inputs: readonly string[]): Promise<void> => {
  for (const name of TWINS) {
    for (const input of inputs) {
      assert.deepEqual(
        byWasm(name, input),
        await byJavaScript(name, input),
        `${name} ${input.slice(0, 400)}`,
      );
    }
  }
};

const FIELDS = Object.keys(readingWith() as object);
const ODD: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  1,
  2,
  -1,
  20,
  60,
  61,
  90,
  91,
  -40,
  -41,
  -90,
  -91,
  95,
  160,
  161,
  250,
  251,
  300,
  301,
  1.5,
  -0.5,
  1e-7,
  1e21,
  1e300,
  5e-324,
  123456789012345680000,
  999999,
  1000000,
  1000001,
  9007199254740993,
  '',
  '0',
  '5000',
  ' ',
  'B96',
  'B',
  'B9',
  'B9666',
  'b96',
  'B96 ',
  'A1',
  '-',
  '-a',
  'a-',
  'a'.repeat(40),
  'a'.repeat(41),
  'ä',
  '😀',
  '😀'.repeat(29),
  '😀'.repeat(30),
  'x'.repeat(58),
  'x'.repeat(59),
  '\u0000',
  '\n"\\/\b\f\t\u007f\u0080',
  '\ud800',
  '0'.repeat(16),
  '0'.repeat(15),
  'F'.repeat(16),
  'f'.repeat(16),
  '2024-05-14T07:32:10Z',
  '2024-05-14T07:32:10z',
  '2024-05-14T07:32:10ZZ',
  '٢٠٢٤-05-14T07:32:10Z',
  [],
  {},
  [1, [2, { a: null }]],
  { sieve: 7 },
  { '': '' },
  'y'.repeat(5000),
];

test('every recorded reading gets the same bytes from both', async () => {
  await assertTwins(readings().map((reading) => JSON.stringify(reading)));
});

test('every odd value in every field is answered or refused alike', async () => {
  const inputs = FIELDS.flatMap((field) =>
    ODD.map((value) => JSON.stringify(readingWith({ [field]: value }))),
  );
  await assertTwins(inputs);
});

test('what is no object is refused alike', async () => {
  const inputs = ODD.filter((value) => value !== undefined).map((value) => JSON.stringify(value));
  await assertTwins(inputs);
});

test('other spellings of the same JSON are understood alike', async () => {
  const plain = JSON.stringify(readingWith({ sieve: 5000 }));
  const spellings = ['5e3', '5E+3', '50.00e2', '5000.0', '500000e-2', '0.5e4', '5000e0'];
  await assertTwins([
    ...spellings.map((number) => plain.replace('"sieve":5000', `"sieve":${number}`)),
    plain.replace('"sieve":', '"\\u0073ieve":'),
    plain.replace('"station', '"\\u0073tation'),
    ` {\n\t"sieve": "first", "nested": {"sieve": [1, {"a": "}"}]}, ${plain.slice(1, -1)}\r\n}  `,
    plain.replace(/"temperatureC":\d+/, '"temperatureC":-0'),
    plain.replace('"sieve":5000', '"sieve":5000,"sieve":7'),
  ]);
});

test('what is not JSON is refused by the WebAssembly twins', () => {
  const plain = JSON.stringify(readingWith());
  const cut = Array.from({ length: plain.length }, (_, at) => plain.slice(0, at));
  const broken = [
    '{"a":01}',
    '{"a":1,}',
    '{"a" 1}',
    '{a:1}',
    '[1,]',
    '{"a":"\\x"}',
    '{"a":"\\u12g4"}',
    '{"a":+1}',
  ];
  const more = [
    '{"a":1}{}',
    '{"a":1.}',
    '{"a":1e}',
    '{"a":tru}',
    '{"a":"\n"}',
    '{}\u0000',
    '['.repeat(100000),
  ];
  for (const name of TWINS) {
    for (const input of [...cut, ...broken, ...more]) {
      const answer = byWasm(name, input);
      assert.equal(answer.exitCode, 1, `${name} ${input.slice(0, 400)}`);
      assert.match(answer.stderr, /^input: .* at byte \d+; give JSON$/);
      assert.equal(answer.stdout, '');
    }
  }
});

test('an input at the payload limit is read, a longer one refused', async () => {
  const plain = JSON.stringify(readingWith({ pad: '' }));
  const padded = (bytes: number): string =>
    plain.replace('"pad":"', `"pad":"${'p'.repeat(bytes - plain.length)}`);
  const limit = 768 * 1024;
  await assertTwins([padded(limit)]);
  const refused = byWasm('check-working', padded(limit + 1));
  assert.deepEqual(refused, {
    exitCode: 1,
    stdout: '',
    stderr: `input: longer than ${String(limit)} bytes at byte ${String(limit)}; give JSON`,
  });
});

test('the modules are small, ask WASI for nothing but streams and exit, and cannot be taken for text', () => {
  for (const [name, module] of modules) {
    const bytes = readFileSync(new URL(`wasm/${name}.wasm`, root));
    assert.ok(bytes.length < 16 * 1024, `${name} has ${String(bytes.length)} bytes`);
    const imports = importsOf(module).map((entry) => `${entry.module}.${entry.name}`);
    const wanted = ['fd_read', 'fd_write', 'proc_exit'].map((entry) => `wasi_snapshot_preview1.${entry}`);
    assert.deepEqual(imports.toSorted(), wanted);
    // kustomize puts what is valid UTF-8 under `data` and the rest under `binaryData`.
    assert.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes), name);
  }
});

test('the committed modules are what the sources say', (context) => {
  const clang = spawnSync('clang', ['--version'], { encoding: 'utf8' });
  if (clang.error !== undefined || spawnSync('wasm-ld', ['--version']).error !== undefined) {
    context.skip('clang or wasm-ld is not installed: the modules cannot be built here');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sinter-traffic-'));
  try {
    const build = spawnSync('sh', [fileURLToPath(new URL('wasm/build.sh', root)), folder], {
      encoding: 'utf8',
    });
    assert.equal(build.status, 0, build.stderr);
    const versionsOf = (text: string): string => text.split('\n').slice(0, 3).join('\n');
    const here = readFileSync(join(folder, 'built.txt'), 'utf8');
    const committed = textOf('wasm/built.txt');
    if (versionsOf(here) !== versionsOf(committed)) {
      context.skip(`other tools than those of wasm/built.txt are installed:\n${versionsOf(here)}`);
      return;
    }
    assert.equal(here, committed);
    for (const name of TWINS) {
      const built = readFileSync(join(folder, `${name}.wasm`));
      assert.ok(built.equals(readFileSync(new URL(`wasm/${name}.wasm`, root))), name);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
