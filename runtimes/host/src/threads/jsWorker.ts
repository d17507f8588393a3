/**
 * Entry of a JavaScript function's thread.
 *
 * Owns: the order of things at the start, and the running of calls. `jsScope.ts` is one call, `jsModule.ts` the loading,
 * `jsProcess.ts` and `jsConsole.ts` what the function finds around it.
 * Invariants:
 *  1. Each Call is answered by one Result or Failed, unless an Abort came first; each Abort by Aborted.
 *  2. Nothing that a function throws, at whatever time, leaves this thread as an exception.
 */
import { workerData } from 'node:worker_threads';
import { inspect } from 'node:util';
import { CallError, decodeValue } from '@sinter/contract';
import type { Handler, Payload, WireError } from '@sinter/contract';
import { bounded, captureConsole } from './jsConsole.ts';
import { loadHandler } from './jsModule.ts';
import { restrictProcess } from './jsProcess.ts';
import { Requests, Scope, escaped, ownPayload } from './jsScope.ts';
import { transferOf } from './protocol.ts';
import type { FromJs, Greeting, ToJs, WorkerStart } from './protocol.ts';

/** The start data, taken out of where the function could find it; a spare thread is told it when its function is known. */
async function takeStart(): Promise<Required<WorkerStart>> {
  const data = workerData as Pick<WorkerStart, 'port'> & Partial<WorkerStart>;
  const { port, name, env, source } = data;
  for (const key of Object.keys(data) as (keyof WorkerStart)[]) Reflect.deleteProperty(data, key);
  if (name !== undefined && env !== undefined && source !== undefined) return { port, name, env, source };
  const told = await new Promise<Omit<Required<WorkerStart>, 'port'>>((resolve) => {
    port.once('message', resolve);
  });
  return { port, ...told };
}

const { port, name, env, source } = await takeStart();
const frozenEnv = Object.freeze({ ...env });
const requests = new Requests();
const scopes = new Map<number, Scope>();

const post = (message: FromJs | Greeting, transfer: readonly ArrayBuffer[] = []): void => {
  port.postMessage(message, transfer);
};

const line = bounded((level, text, id) => {
  post({ kind: 'Log', level, text, ...(id === undefined ? {} : { id }) });
});

async function run(handler: Handler, id: number, callId: string, input: Payload): Promise<void> {
  const scope = new Scope({ id, callId, name, env: frozenEnv, post, line, requests });
  scopes.set(id, scope);
  const settle = await outcome(handler, scope, input, id);
  scopes.delete(id);
  if (scope.ended) return;
  scope.finish();
  try {
    settle();
  } catch {
    // A thrown Proxy, say, whose traps throw: there is nothing more to learn from it.
    const message = 'it threw what cannot be looked at';
    post({ kind: 'Failed', id, error: { code: 'FunctionFailed', message, function: name } });
  }
}

/** Runs the handler; gives what is to be posted, if the call is still wanted then. */
async function outcome(handler: Handler, scope: Scope, input: Payload, id: number): Promise<() => void> {
  try {
    const value: unknown = await handler(decodeValue(input), scope.ctx);
    return () => {
      answer(id, value);
    };
  } catch (thrown) {
    return () => {
      if (!(thrown instanceof CallError)) line('error', safely(thrown), id);
      post({ kind: 'Failed', id, error: escaped(thrown, name) });
    };
  }
}

function answer(id: number, value: unknown): void {
  let output: Payload;
  try {
    output = ownPayload(value, `result of function '${name}'`);
  } catch (thrown) {
    post({ kind: 'Failed', id, error: notEncoded(thrown) });
    return;
  }
  post({ kind: 'Result', id, output }, transferOf(output));
}

const notEncoded = (thrown: unknown): WireError =>
  thrown instanceof CallError
    ? { ...thrown.toWire(), function: name }
    : {
        code: 'FunctionFailed',
        reason: 'NotJson',
        function: name,
        message: `the result of function '${name}' cannot be said in JSON: ${safely(thrown)}`,
      };

function safely(thrown: unknown): string {
  try {
    return inspect(thrown);
  } catch {
    return 'an error that cannot be printed';
  }
}

function heard(handler: Handler, message: ToJs): void {
  switch (message.kind) {
    case 'Call':
      void run(handler, message.id, message.callId, message.input);
      return;
    case 'Abort':
      post({ kind: 'Aborted', id: message.id });
      scopes.get(message.id)?.abort(CallError.fromWire(message.error));
      return;
    case 'Answer':
      requests.answered(message.seq, message.output);
      return;
    case 'Sent':
      requests.take(message.seq)?.resolve(message.callId);
      return;
    case 'Denied':
      requests.take(message.seq)?.reject(CallError.fromWire(message.error));
      return;
  }
}

async function start(): Promise<void> {
  restrictProcess(env);
  captureConsole(line);
  process.setUncaughtExceptionCaptureCallback((thrown) => {
    line('error', `uncaught, after or beside its call: ${safely(thrown)}`);
  });
  process.on('unhandledRejection', (thrown) => {
    line('error', `a promise was rejected and nobody handled it: ${safely(thrown)}`);
  });
  try {
    const handler = await loadHandler(name, source);
    port.on('message', (message: ToJs) => {
      heard(handler, message);
    });
    post({ kind: 'Loaded' });
  } catch (thrown) {
    // The main thread ends this one; by itself it would end before its message is read.
    port.ref();
    post({ kind: 'Refused', error: CallError.from(thrown, name).toWire() });
  }
}

await start();
