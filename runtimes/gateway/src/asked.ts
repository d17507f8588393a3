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
import { admits, showsToken, shownBy } from './auth.ts';
import type { KnownAuth, Shown } from './auth.ts';
import type { JwtAuth, Tokens } from './jwt/tokens.ts';
import type { Refusal } from './jwt/verdict.ts';
import { Problem } from './problem.ts';
import { noRights, rightsIn } from './rights.ts';
import type { Rights } from './rights.ts';
import { hostName, pathKey } from './table.ts';
import type { Candidate, Table, Workflow } from './table.ts';

export type Asked =
  | {
      readonly what: 'Call';
      readonly workflow: Workflow;
      readonly function: string;
      /** Who asks, as far as keys and tokens tell clients apart; empty for anybody. Idempotency keys count within it. */
      readonly principal: string;
    }
  | {
      readonly what: 'State';
      readonly workflow: Workflow;
      readonly callId: string;
      /** What the sender may read. */
      readonly rights: Rights;
    }
  | { readonly what: 'Health' }
  | { readonly what: 'Readiness' };

type Judged = Asked | Problem;

export class Doorkeeper {
  readonly #table: Table;
  readonly #token: Buffer | undefined;
  readonly #tokens: Tokens;

  /** `token` is the digest of the one that opens everything; undefined: there is none. */
  constructor(table: Table, token: Buffer | undefined, tokens: Tokens) {
    this.#table = table;
    this.#token = token;
    this.#tokens = tokens;
  }

  /** At once, but for what only an issuer's keys can tell. */
  judge(req: IncomingMessage): Judged | Promise<Judged> {
    const path = pathOf(req.url ?? '');
    if (path === undefined) return new Problem('BadRequest', 'the path of the request cannot be read');
    if (path.startsWith('/call/')) return this.#underCall(req, path.slice('/call/'.length).split('/'));
    if (path.startsWith('/-/')) return own(req.method ?? '', path);
    return this.#trigger(req, path);
  }

  #trigger(req: IncomingMessage, path: string): Judged | Promise<Judged> {
    const candidates = this.#table.at(hostName(req.headers.host), path);
    if (candidates.length === 0) return nothingHere();
    const chosen = candidates.find(({ trigger }) => trigger.methods.includes(req.method ?? ''));
    if (!chosen) return wrongMethod(candidates.flatMap(({ trigger }) => trigger.methods));
    const { auth } = chosen.trigger;
    return auth.type === 'Jwt' ? this.#byToken(chosen, auth, req) : byKey(chosen, auth, req);
  }

  #byToken({ workflow, trigger }: Candidate, auth: JwtAuth, req: IncomingMessage): Problem | Promise<Judged> {
    const { token } = shownBy(req.headers);
    if (token === undefined) return tokenMissing();
    return this.#tokens.judge(auth, token).then((judgement) => {
      switch (judgement.is) {
        case 'Known':
          return open(workflow, trigger.to, judgement.principal);
        case 'Refused':
          return tokenRefused(judgement);
        case 'Unavailable':
          return authUnavailable();
      }
    });
  }

  #underCall(req: IncomingMessage, parts: readonly string[]): Judged | Promise<Judged> {
    const [namespace = '', name = '', third = '', callId, ...rest] = parts;
    if (rest.length > 0 || third === '') return nothingHere();
    const workflow = this.#table.get(namespace, name);
    const shown = shownBy(req.headers);
    const known = showsToken(shown, this.#token);
    if (callId !== undefined)
      return third === 'calls' ? this.#state(req, workflow, callId, shown, known) : nothingHere();
    return this.#call(req, workflow, third, known);
  }

  #call(req: IncomingMessage, w: Workflow | undefined, fn: string, known: boolean): Judged {
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
  ): Judged | Promise<Judged> {
    const rights = rightsIn(w, shown, known, this.#tokens);
    const judged = (r: Rights): Judged => this.#stateBy(r, req, w, callId, shown);
    return rights instanceof Promise ? rights.then(judged) : judged(rights);
  }

  #stateBy(
    rights: Rights,
    req: IncomingMessage,
    w: Workflow | undefined,
    callId: string,
    shown: Shown,
  ): Judged {
    if (noRights(rights)) {
      if (rights.unjudged.size > 0) return authUnavailable();
      const nothing = this.#token === undefined && (w?.entry?.triggers ?? []).length === 0;
      return nothing ? nothingHere() : unauthorized(shown);
    }
    if (!w || !isCallId(callId)) return noSuchCall();
    if (req.method !== 'GET') return wrongMethod(['GET']);
    return { what: 'State', workflow: w, callId, rights };
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

function own(method: string, path: string): Judged {
  const what = path === '/-/healthz' ? 'Health' : path === '/-/readyz' ? 'Readiness' : undefined;
  if (!what) return nothingHere();
  return method === 'GET' || method === 'HEAD' ? { what } : wrongMethod(['GET', 'HEAD']);
}

function byKey({ workflow, trigger }: Candidate, auth: KnownAuth, req: IncomingMessage): Judged {
  if (auth.type === 'None') return open(workflow, trigger.to, '');
  const shown = shownBy(req.headers);
  if (!admits(auth, shown)) return unauthorized(shown);
  const principal = (shown.bearer ?? shown.apiKey)?.toString('hex', 0, 8) ?? '';
  return open(workflow, trigger.to, principal);
}

function open(workflow: Workflow, fn: string, principal: string): Judged {
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
  return closed(
    given
      ? 'the key is not one of those that open this path'
      : 'a key is needed: Authorization: Bearer KEY, or X-Api-Key: KEY',
    given ? 'error="invalid_token"' : undefined,
  );
};

const tokenMissing = (): Problem => closed('a token is needed: Authorization: Bearer TOKEN');

const tokenRefused = ({ reason, says }: Refusal): Problem =>
  closed(says, `error="invalid_token", error_description="${says}"`, reason);

/** 401, with the challenge that RFC 6750 asks for. */
const closed = (detail: string, challenge?: string, reason?: string): Problem =>
  new Problem('NotAllowed', detail, {
    status: 401,
    ...(reason === undefined ? {} : { reason }),
    headers: {
      'WWW-Authenticate': `Bearer realm="sinter"${challenge === undefined ? '' : `, ${challenge}`}`,
    },
  });

export const authUnavailable = (): Problem =>
  new Problem(
    'AuthUnavailable',
    "the token cannot be judged: its issuer's keys cannot be had at the moment, try again",
  );

const tokenNeeded = (): Problem =>
  closed(
    "this function is not exposed: it takes the run's token as Authorization: Bearer TOKEN (sinter invoke sends it)",
  );
