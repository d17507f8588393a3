/**
 * What a request asks for, and whether its sender may: the first judgement, made from the request's head alone.
 *
 * Owns: paths, methods, credentials. Its neighbours: `table.ts` looks up, `terms.ts` reads how the call is wanted.
 * Invariant: who has no right to a workflow cannot tell by the answer whether its functions or calls exist.
 *
 *   POST /call/<namespace>/<workflow>/<function>       where exposed, or with the run's token
 *   GET  /call/<namespace>/<workflow>/calls/<id>       with what opens an entry to that call's function
 *   GET  /-/healthz, /-/readyz                         the gateway itself
 *   anything else                                      a trigger's path
 */
import type { IncomingMessage } from 'node:http';
import { isCallId } from '@sinter/contract';
import { admits, judge, showsToken, shownBy } from './auth.ts';
import type { Shown } from './auth.ts';
import { Problem } from './problem.ts';
import { hostName, pathKey } from './table.ts';
import type { Candidate, Table, Workflow } from './table.ts';

export type Asked =
  | {
      readonly what: 'Call';
      readonly workflow: Workflow;
      readonly function: string;
      /** Who asks, as far as keys tell clients apart; empty for anybody. Idempotency keys count within it. */
      readonly principal: string;
    }
  | {
      readonly what: 'State';
      readonly workflow: Workflow;
      readonly callId: string;
      /** May the sender read calls of that function? */
      readonly mayRead: (fn: string) => boolean;
    }
  | { readonly what: 'Health' }
  | { readonly what: 'Readiness' };

export class Doorkeeper {
  readonly #table: Table;
  readonly #token: Buffer | undefined;

  /** `token` is the digest of the one that opens everything; undefined: there is none. */
  constructor(table: Table, token: Buffer | undefined) {
    this.#table = table;
    this.#token = token;
  }

  judge(req: IncomingMessage): Asked | Problem {
    const path = pathOf(req.url ?? '');
    if (path === undefined) return new Problem('BadRequest', 'the path of the request cannot be read');
    if (path.startsWith('/call/')) return this.#underCall(req, path.slice('/call/'.length).split('/'));
    if (path.startsWith('/-/')) return own(req.method ?? '', path);
    return this.#trigger(req, path);
  }

  #trigger(req: IncomingMessage, path: string): Asked | Problem {
    const candidates = this.#table.at(hostName(req.headers.host), path);
    if (candidates.length === 0) return nothingHere();
    const chosen = candidates.find(({ trigger }) => trigger.methods.includes(req.method ?? ''));
    if (!chosen) return wrongMethod(candidates.flatMap(({ trigger }) => trigger.methods));
    return enter(chosen, req);
  }

  #underCall(req: IncomingMessage, parts: readonly string[]): Asked | Problem {
    const [namespace = '', name = '', third = '', callId, ...rest] = parts;
    if (rest.length > 0 || third === '') return nothingHere();
    const workflow = this.#table.get(namespace, name);
    const shown = shownBy(req.headers);
    const known = showsToken(shown, this.#token);
    if (callId !== undefined)
      return third === 'calls' ? this.#state(req, workflow, callId, shown, known) : nothingHere();
    return this.#call(req, workflow, third, known);
  }

  #call(req: IncomingMessage, w: Workflow | undefined, fn: string, known: boolean): Asked | Problem {
    const exposed = w?.entry?.expose === 'All';
    if (!known && !exposed) return this.#token === undefined ? nothingHere() : tokenNeeded();
    if (!w) return new Problem('NoSuchFunction', `there is no such workflow; there are: ${this.#names()}`);
    if (!w.entry?.functions.includes(fn) && !w.functions.has(fn)) return noSuchFunction(w, fn);
    if (req.method !== 'POST') return wrongMethod(['POST']);
    return open(w, fn, '');
  }

  #state(
    req: IncomingMessage,
    w: Workflow | undefined,
    callId: string,
    shown: Shown,
    known: boolean,
  ): Asked | Problem {
    const triggers = w?.entry?.triggers ?? [];
    const mayRead = (fn: string): boolean =>
      known || w?.entry?.expose === 'All' || triggers.some((t) => t.to === fn && admits(t.auth, shown));
    if (!known && w?.entry?.expose !== 'All' && !triggers.some((t) => admits(t.auth, shown)))
      return this.#token === undefined && triggers.length === 0 ? nothingHere() : unauthorized(shown);
    if (!w || !isCallId(callId)) return noSuchCall();
    if (req.method !== 'GET') return wrongMethod(['GET']);
    return { what: 'State', workflow: w, callId, mayRead };
  }

  #names(): string {
    const names = [...this.#table.all()].map((w) => `${w.namespace}/${w.workflow}`).sort();
    return names.length === 0 ? 'none' : names.join(', ');
  }
}

/** The path of a request's target, in the form in which paths are compared. */
function pathOf(target: string): string | undefined {
  let path = target;
  if (!path.startsWith('/')) {
    const url = URL.parse(path);
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return undefined;
    path = url.pathname;
  }
  const query = path.indexOf('?');
  return pathKey(query < 0 ? path : path.slice(0, query));
}

function own(method: string, path: string): Asked | Problem {
  const what = path === '/-/healthz' ? 'Health' : path === '/-/readyz' ? 'Readiness' : undefined;
  if (!what) return nothingHere();
  return method === 'GET' || method === 'HEAD' ? { what } : wrongMethod(['GET', 'HEAD']);
}

function enter({ workflow, trigger }: Candidate, req: IncomingMessage): Asked | Problem {
  if (trigger.auth.type === 'None') return open(workflow, trigger.to, '');
  const shown = shownBy(req.headers);
  if (judge(trigger.auth, shown) !== 'Known') return unauthorized(shown);
  const principal = (shown.bearer ?? shown.apiKey)?.toString('hex', 0, 8) ?? '';
  return open(workflow, trigger.to, principal);
}

function open(workflow: Workflow, fn: string, principal: string): Asked | Problem {
  if (workflow.entry?.suspended === true)
    return new Problem(
      'Suspended',
      'the workflow is suspended: its author lifts that with spec.suspend: false',
    );
  return { what: 'Call', workflow, function: fn, principal };
}

const nothingHere = (): Problem => new Problem('NoSuchPath', 'no trigger answers at this host and path');

export const noSuchCall = (): Problem =>
  new Problem('NoSuchCall', 'no call with this id is known here: a call is kept for one hour');

const noSuchFunction = (w: Workflow, fn: string): Problem =>
  new Problem(
    'NoSuchFunction',
    `workflow ${w.namespace}/${w.workflow} has no function '${fn.slice(0, 63)}'; it has: ` +
      [...new Set([...(w.entry?.functions ?? []), ...w.functions.keys()])].sort().join(', '),
  );

const wrongMethod = (allowed: readonly string[]): Problem => {
  const allow = [...new Set(allowed)].sort().join(', ');
  return new Problem('MethodNotAllowed', `this path takes: ${allow}`, { headers: { Allow: allow } });
};

const unauthorized = (shown: Shown): Problem => {
  const given = shown.bearer !== undefined || shown.apiKey !== undefined;
  return new Problem(
    'NotAllowed',
    given
      ? 'the key is not one of those that open this path'
      : 'a key is needed: Authorization: Bearer KEY, or X-Api-Key: KEY',
    {
      status: 401,
      headers: { 'WWW-Authenticate': `Bearer realm="sinter"${given ? ', error="invalid_token"' : ''}` },
    },
  );
};

const tokenNeeded = (): Problem =>
  new Problem(
    'NotAllowed',
    "this function is not exposed: it takes the run's token as Authorization: Bearer TOKEN (sinter invoke sends it)",
    { status: 401, headers: { 'WWW-Authenticate': 'Bearer realm="sinter"' } },
  );
