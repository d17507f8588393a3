/**
 * Plays a load against a gateway: open loop, so a visit begins when it is due, whatever became of those before it.
 *
 * Owns: sending, timing, counting, and the report. Neighbour: `profile.ts` says what is sent and when.
 * Invariants:
 *  1. It sends to this machine or to the range that is reserved for benchmarks, never elsewhere.
 *  2. It ends: the timetable is bounded, and so is the time that a call may take.
 *  3. The first call of a visit is timed from when the visit was due, so that a stall is not hidden by the calls that it kept
 *     from being sent; the later ones from when the one before them was answered.
 */
import http from 'node:http';
import { BlockList } from 'node:net';
import { quantile } from './stats.ts';
import type { Request, Timetable } from './profile.ts';

/** What one call came to: `status` 0 and the reason as text where there was no answer. */
export interface PlayedCall {
  readonly call: string;
  /** Which visit it belongs to, from 0. */
  readonly visit: number;
  readonly body: string;
  readonly status: number;
  readonly text: string;
  readonly ms: number;
  /** When it was answered, in milliseconds from the start of the load. */
  readonly atMs: number;
  /** Hash of the plan that it ran under, as the gateway says it; empty: it does not. */
  readonly revision: string;
}

export interface PlayOptions {
  /** http://address:port, of this machine or in 198.18.0.0/15. */
  readonly gateway: string;
  readonly timetable: Timetable;
  /** The longest that a call may take, in milliseconds; 30 s where it is not given. */
  readonly limitMs?: number;
  /** Aborted: no further visit begins; those under way go on. */
  readonly signal?: AbortSignal;
}

const OWN = new BlockList();
OWN.addSubnet('127.0.0.0', 8);
OWN.addSubnet('198.18.0.0', 15);

/** Throws where the address is nobody's own. */
function gatewayOf(url: string): URL {
  const gateway = new URL(url);
  if (gateway.hostname === 'localhost') gateway.hostname = '127.0.0.1';
  if (gateway.protocol === 'http:' && OWN.check(gateway.hostname)) return gateway;
  throw new Error(`gateway: given ${url}; give http:// and an address in 127.0.0.0/8 or 198.18.0.0/15`);
}

/** Every call of every visit, in the order in which they were answered. Never rejects for what a call came to. */
export async function play(options: PlayOptions): Promise<readonly PlayedCall[]> {
  const { timetable, limitMs = 30_000, signal } = options;
  const gateway = gatewayOf(options.gateway);
  const agent = new http.Agent({ keepAlive: true });
  const played: PlayedCall[] = [];
  const visits: Promise<void>[] = [];
  const visit = async (n: number, from: number): Promise<void> => {
    let at = from;
    for (const request of timetable.visit(n)) {
      const answer = await send(gateway, agent, request, limitMs);
      const now = performance.now();
      const { call, body } = request;
      played.push({ call, visit: n, body, ...answer, ms: now - at, atMs: now - startedAt });
      at = now;
    }
  };
  const startedAt = performance.now();
  try {
    for (const [n, dueMs] of timetable.dueMs.entries()) {
      const dueAt = startedAt + dueMs;
      const wait = dueAt - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      if (signal?.aborted === true) break;
      // A timer wakes up to a millisecond late: that is the client's, not the gateway's.
      visits.push(visit(n, Math.max(dueAt, performance.now() - 1)));
    }
    await Promise.all(visits);
  } finally {
    agent.destroy();
  }
  return played;
}

function send(
  gateway: URL,
  agent: http.Agent,
  { path, body }: Request,
  limitMs: number,
): Promise<Pick<PlayedCall, 'status' | 'text' | 'revision'>> {
  const signal = AbortSignal.timeout(limitMs);
  return new Promise((resolve) => {
    const failed = ({ message }: Error): void => {
      const text = signal.aborted ? `no answer within ${limitMs} ms` : message;
      resolve({ status: 0, text, revision: '' });
    };
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const req = http.request(new URL(path, gateway), { method: 'POST', agent, headers, signal }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.once('error', failed);
      res.once('end', () => {
        const revision = String(res.headers['sinter-revision'] ?? '');
        resolve({ status: res.statusCode ?? 0, text: Buffer.concat(chunks).toString(), revision });
      });
    });
    req.once('error', failed);
    req.end(body);
  });
}

/** What a load came to for the calls of one name. */
export interface CallFigures {
  readonly call: string;
  readonly sent: number;
  /** Of those that were answered with 200; NaN of none. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How often each other answer came, by its status and its code or text. */
  readonly failures: ReadonlyMap<string, number>;
}

/** By the names of calls, in the order of their names. */
export function figuresOf(played: readonly PlayedCall[]): readonly CallFigures[] {
  return [...Map.groupBy(played, ({ call }) => call)]
    .map(([call, calls]) => {
      const ms = calls.filter(({ status }) => status === 200).map((c) => c.ms);
      const failures = new Map<string, number>();
      for (const failed of calls.filter(({ status }) => status !== 200)) {
        const kind = kindOf(failed);
        failures.set(kind, (failures.get(kind) ?? 0) + 1);
      }
      return { call, sent: calls.length, p50Ms: quantile(ms, 0.5), p99Ms: quantile(ms, 0.99), failures };
    })
    .sort((a, b) => (a.call < b.call ? -1 : 1));
}

/** A problem's code; else the text, which has no call ids that would make every one different. */
function kindOf({ status, text }: PlayedCall): string {
  const code = /"code":"(\w+)"/.exec(text)?.[1];
  return `${status} ${code ?? text.slice(0, 80)}`.trim();
}

const failedOf = ({ failures }: CallFigures): number => [...failures.values()].reduce((a, b) => a + b, 0);

/** One line a name of a call, and one more for each kind of failure. */
export function reportLines(figures: readonly CallFigures[]): readonly string[] {
  const width = Math.max(4, ...figures.map(({ call }) => call.length));
  const row = (call: string, ...cells: readonly string[]): string =>
    call.padEnd(width) + cells.map((cell) => cell.padStart(12)).join('');
  return [
    row('call', 'sent', 'p50', 'p99', 'failed'),
    ...figures.flatMap((f) => [
      row(f.call, String(f.sent), shownMs(f.p50Ms), shownMs(f.p99Ms), String(failedOf(f))),
      ...[...f.failures].map(([kind, n]) => `  ${n} × ${kind}`),
    ]),
  ];
}

const shownMs = (ms: number): string => (Number.isNaN(ms) ? '-' : `${ms.toFixed(1)} ms`);
