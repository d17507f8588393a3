/**
 * Entry of a WASM thread: runs one command at a time, each call in a fresh instance.
 *
 * Owns: the life of an instance and the words for how it ended. `wasi.ts` is what the program sees.
 * Invariant: an instance is never used for a second call, so nothing passes from one call to the next.
 */
import { workerData } from 'node:worker_threads';
import { PAYLOAD_LIMIT_BYTES } from '@sinter/contract';
import type { Payload, WireError } from '@sinter/contract';
import { transferOf } from './protocol.ts';
import type { Greeting, WorkerStart } from './protocol.ts';
import { Exit, OutputTooLarge, Wasi } from './wasi.ts';
import { engine } from './webAssembly.ts';
import type { Memory, Module } from './webAssembly.ts';
import type { FromWasm, ToWasm } from './wasmProtocol.ts';

/** Characters of stderr that an error message carries: its end. */
const STDERR_IN_MESSAGE = 2 * 1024;

const { port, name, env } = workerData as WorkerStart;

interface Loaded {
  readonly module: Module;
  readonly imports: readonly string[];
}

/** An allocator asks for somewhat more than it needs: 1 MiB below the limit counts as at the limit. */
const NEAR_LIMIT_PAGES = 16;

function run({ module, imports }: Loaded, id: number, input: Payload): FromWasm {
  const wasi = new Wasi({ args: [name], env, stdin: input.bytes, outputLimitBytes: PAYLOAD_LIMIT_BYTES });
  const end = () => {
    const memoryBytes = wasi.memory?.buffer.byteLength ?? 0;
    return { id, stderr: wasi.stderr(), memoryBytes, sleptMs: wasi.sleptMs };
  };
  try {
    start(module, wasi, imports);
  } catch (thrown) {
    if (!(thrown instanceof Exit && thrown.code === 0)) {
      const ended = end();
      return { kind: 'Failed', error: failure(thrown, ended.stderr, isAtLimit(wasi.memory)), ...ended };
    }
  }
  return { kind: 'Result', output: { contentType: input.contentType, bytes: wasi.output() }, ...end() };
}

function start(module: Module, wasi: Wasi, imports: readonly string[]): void {
  const instance = new engine.Instance(module, { wasi_snapshot_preview1: wasi.imports(imports) });
  wasi.memory = instance.exports['memory'] as Memory;
  (instance.exports['_start'] as () => void)();
}

/** Did the program end with no memory left to ask for? It cannot say so itself: to it, an allocation failed. */
function isAtLimit(memory: Memory | undefined): boolean {
  try {
    memory?.grow(NEAR_LIMIT_PAGES);
    return false;
  } catch (thrown) {
    if (thrown instanceof RangeError) return true;
    throw thrown;
  }
}

function failure(thrown: unknown, stderr: string, atLimit: boolean): WireError {
  const hint = atLimit ? ' (its memory was at its limit: raise resources.limits.memory of the function)' : '';
  const end =
    stderr.trim() === '' ? '' : `; the end of its stderr: ${stderr.trim().slice(-STDERR_IN_MESSAGE)}`;
  if (thrown instanceof OutputTooLarge)
    return {
      code: 'PayloadTooLarge',
      function: name,
      message:
        `the output of function '${name}' is larger than the ${String(PAYLOAD_LIMIT_BYTES)} bytes that are allowed: ` +
        `send a reference to where the data lies, or split it`,
    };
  if (thrown instanceof Exit)
    return failed('ExitCode', `function '${name}' ended with exit code ${String(thrown.code)}${hint}${end}`);
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return failed('Trap', `function '${name}' trapped: ${what}${hint}${end}`);
}

const failed = (reason: string, message: string): WireError => ({
  code: 'FunctionFailed',
  reason,
  message,
  function: name,
});

function post(message: FromWasm | Greeting): void {
  port.postMessage(message, message.kind === 'Result' ? transferOf(message.output) : []);
}

let loaded: Loaded | undefined;
port.on('message', (message: ToWasm) => {
  if (message.kind === 'Module') {
    const { module } = message;
    loaded = { module, imports: engine.Module.imports(module).map((i) => i.name) };
  } else if (loaded !== undefined) {
    post(run(loaded, message.id, message.input));
  }
});
post({ kind: 'Loaded' });
