/**
 * `sinter invoke WORKFLOW/FUNCTION`: one call through the gateway, of a run or of a cluster.
 *
 * Owns: what is sent (body, content type, headers), and what becomes of the answer. The result goes to standard output
 * as it came, byte for byte; everything else goes to standard error.
 */
import { readFile } from 'node:fs/promises';
import type { ClusterFlags } from '../clusterFlags.ts';
import { callPath } from '../entry.ts';
import type { Entry } from '../entry.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { GatewayClient, GatewayLost } from '../gatewayClient.ts';
import type { GatewayAnswer } from '../gatewayClient.ts';
import { findWorkflow } from '../runs.ts';
import { whereIs } from '../where.ts';
import type { Terminal } from '../terminal.ts';
import { plain } from '../terminal.ts';
import { hanging } from '../text/layout.ts';

export interface InvokeOptions extends ClusterFlags {
  /** `workflow/function`. */
  readonly target: string;
  /** `@file`, `-`, or the text itself; undefined: null. */
  readonly data: string | undefined;
  readonly run: string | undefined;
  /** URL of a cluster's gateway; undefined: what the Workflow's status says. */
  readonly gateway: string | undefined;
  readonly async: boolean;
  readonly wait: boolean;
  readonly timeoutSeconds: number | undefined;
  /** `Name: value`. */
  readonly headers: readonly string[];
  readonly json: boolean;
}

/** How long a function may run where nothing is said: longer than any default, so that the gateway decides. */
const PATIENCE_SECONDS = 900;
/** On top of the call's own time, for the gateway's answer. */
const SLACK_MS = 5_000;
const POLL_MS = 100;

interface Outcome {
  readonly callId: string | null;
  readonly status: number;
  readonly ms: number;
  readonly contentType: string | null;
  readonly body: Uint8Array;
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export async function invokeCommand(options: InvokeOptions, terminal: Terminal): Promise<ExitCode> {
  const [workflow = '', fn = '', ...rest] = options.target.split('/');
  if (workflow === '' || fn === '' || rest.length > 0) {
    const message = `'${options.target}' must be WORKFLOW/FUNCTION, like traffic/ingest (the namespace goes to -n)`;
    throw new Refusal(EXIT.usage, message);
  }
  const headers = headersOf(options.headers);
  const body = await bodyOf(options.data, terminal);
  const entry = await entryOf(workflow, fn, options, terminal);
  const client = new GatewayClient(entry.url);
  try {
    const sent = { ...entry.headers, ...contentTypeOf(body, options.data), ...headers };
    const outcome = await call(client, entry, options, sent, body);
    return print(explained(outcome, entry), options, terminal);
  } catch (cause) {
    if (!(cause instanceof GatewayLost)) throw cause;
    throw new Refusal(EXIT.callFailed, `${entry.lost}: ${cause.message}${entry.remedy}`, { cause });
  } finally {
    client.close();
  }
}

async function entryOf(
  workflow: string,
  fn: string,
  options: InvokeOptions,
  terminal: Terminal,
): Promise<Entry> {
  const { gateway, namespace, run } = options;
  if (gateway === undefined && (await whereIs(options, terminal)) === 'Run') {
    const { run: found, workflow: w } = await findWorkflow({ workflow, namespace, run });
    const path = callPath({ namespace: w.namespace, workflow, fn });
    const headers = { Authorization: `Bearer ${found.gateway.token}` };
    const lost = `the gateway of run ${String(found.pid)} is lost`;
    return { url: found.gateway.url, method: 'POST', path, headers, lost, remedy: '', closed: '' };
  }
  const { clusterEntry } = await import('../cluster/entry.ts');
  return clusterEntry(workflow, fn, options, terminal);
}

/** A gateway does not tell strangers what there is: whoever asks it by mistake is told here. */
function explained(outcome: Outcome, { closed }: Entry): Outcome {
  const { error } = outcome;
  if (error?.code !== 'NoSuchPath' || closed === '') return outcome;
  return { ...outcome, error: { ...error, message: `${error.message}; ${closed}` } };
}

function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*([\x20-\x7e]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined)
      throw new Refusal(EXIT.usage, `-H: '${line}' must be 'Name: value', in ASCII`);
    // One spelling, so that a key that is given takes the place of a run's own.
    headers[/^authorization$/i.test(name) ? 'Authorization' : name] = value.trim();
  }
  return headers;
}

async function bodyOf(data: string | undefined, terminal: Terminal): Promise<Uint8Array | undefined> {
  if (data === undefined) return undefined;
  if (data === '-' || data === '@-') return terminal.readInput();
  if (!data.startsWith('@')) return Buffer.from(data);
  try {
    return await readFile(data.slice(1));
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const message = `-d: '${data}' cannot be read (${why}); write @ and the path of a file, - for standard input, or the text itself`;
    throw new Refusal(EXIT.refused, message, { cause });
  }
}

/** JSON where it parses, else text, else bytes: as a person means it who gives no header. */
function contentTypeOf(body: Uint8Array | undefined, data: string | undefined): Record<string, string> {
  const type = (contentType: string): Record<string, string> => ({ 'Content-Type': contentType });
  if (body === undefined) return {};
  if (data?.endsWith('.json') === true) return type('application/json');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return type('application/octet-stream'); // not UTF-8, so it is no text
  }
  try {
    JSON.parse(text);
    return type('application/json');
  } catch {
    return type('text/plain'); // not JSON, so it is text
  }
}

async function call(
  client: GatewayClient,
  { method, path }: Entry,
  { timeoutSeconds, async, wait }: InvokeOptions,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | undefined,
): Promise<Outcome> {
  const timeoutMs = (timeoutSeconds ?? PATIENCE_SECONDS) * 1000 + SLACK_MS;
  const startedAt = performance.now();
  const answer = await client.send({
    method,
    path,
    headers: {
      ...(timeoutSeconds === undefined ? {} : { 'X-Sinter-Timeout-Seconds': String(timeoutSeconds) }),
      ...(async ? { Prefer: 'respond-async' } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
    timeoutMs,
  });
  if (!async || !wait || answer.status !== 202) return outcomeOf(answer, performance.now() - startedAt);
  const { Authorization: authorization } = headers;
  const shown: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
  return waitFor(client, String(answer.headers.location), shown, startedAt, timeoutMs);
}

interface CallState {
  readonly callId: string;
  readonly state: 'Accepted' | 'Running' | 'Succeeded' | 'Failed';
  readonly contentType?: string;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Asks for the state of an accepted call until it has ended. */
async function waitFor(
  client: GatewayClient,
  path: string,
  headers: Readonly<Record<string, string>>,
  startedAt: number,
  timeoutMs: number,
): Promise<Outcome> {
  for (;;) {
    const answer = await client.send({ method: 'GET', path, headers, timeoutMs: SLACK_MS });
    const ms = performance.now() - startedAt;
    if (answer.status !== 200) return outcomeOf(answer, ms);
    const state = JSON.parse(textOf(answer.body)) as CallState;
    if (state.state === 'Succeeded' || state.state === 'Failed') return endOf(state, ms);
    if (ms > timeoutMs) {
      const message = `call ${state.callId} is still ${state.state}; ask again: GET ${path}`;
      return { ...outcomeOf(answer, ms), callId: state.callId, error: { code: 'Timeout', message } };
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function endOf({ callId, contentType = 'application/json', result, error }: CallState, ms: number): Outcome {
  const isText = typeof result === 'string' && !contentType.includes('json');
  const isBytes = isText && !contentType.startsWith('text/');
  const text = isText ? result : result === undefined ? 'null' : JSON.stringify(result);
  const body = Buffer.from(text, isBytes ? 'base64' : 'utf8');
  return { callId, status: error ? 500 : 200, ms, contentType, body, error };
}

function outcomeOf({ status, headers, body }: GatewayAnswer, ms: number): Outcome {
  const callId = headers['sinter-call-id'];
  const base = {
    callId: typeof callId === 'string' ? callId : null,
    status,
    ms,
    contentType: headers['content-type'] ?? null,
    body,
  };
  return { ...base, error: status < 400 ? undefined : problemOf(status, textOf(body)) };
}

function problemOf(status: number, text: string): { readonly code: string; readonly message: string } {
  try {
    const problem = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return { code: String(problem['code']), message: String(problem['detail'] ?? problem['title']) };
  } catch {
    const message =
      text.slice(0, 1000) || "an answer without a word; is that the address of Sinter's gateway?";
    return { code: `Http${String(status)}`, message }; // not the gateway's own answer
  }
}

function print(outcome: Outcome, options: InvokeOptions, { out, err }: Terminal): ExitCode {
  const { callId, status, ms, contentType, body, error } = outcome;
  if (options.json) {
    const result = error ? { error } : { result: shownResult(contentType, body) };
    out.line(JSON.stringify({ callId, status, ms: Math.round(ms * 1000) / 1000, contentType, ...result }));
  } else if (error) {
    for (const line of hanging(`${error.code}: `, plain(error.message))) err.line(line);
    if (callId !== null) err.line(err.colors.dim(`call ${callId}`));
  } else if (status === 202) {
    out.line(callId ?? textOf(body));
  } else {
    out.write(body);
    if (out.isTty && body.at(-1) !== 10) out.line();
  }
  return error ? EXIT.callFailed : EXIT.done;
}

/** JSON as itself, text as text, bytes as base64. */
function shownResult(contentType: string | null, body: Uint8Array): unknown {
  if (contentType?.includes('json') === true) {
    try {
      return JSON.parse(textOf(body)) as unknown;
    } catch {
      return textOf(body); // a function may call text JSON that is none
    }
  }
  return contentType?.startsWith('text/') === true ? textOf(body) : Buffer.from(body).toString('base64');
}

const textOf = (body: Uint8Array): string => new TextDecoder().decode(body);
