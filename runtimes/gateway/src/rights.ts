/**
 * Whose calls of a workflow a request may read: what opens an entry to a function opens the states of its calls.
 *
 * Owns: the sum of a request's credentials over all triggers of a workflow. `auth.ts` and `jwt/` judge each.
 */
import { admits } from './auth.ts';
import type { Shown } from './auth.ts';
import type { Judgement, JwtAuth, Tokens } from './jwt/tokens.ts';
import type { Workflow } from './table.ts';

export interface Rights {
  /** Functions whose calls may be read. */
  readonly functions: ReadonlySet<string> | 'Every';
  /** Functions of which it cannot be told now, because an issuer's keys cannot be had. */
  readonly unjudged: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

export const mayRead = ({ functions }: Rights, fn: string): boolean =>
  functions === 'Every' || functions.has(fn);

export const noRights = ({ functions }: Rights): boolean => functions !== 'Every' && functions.size === 0;

/** `known`: the request shows what opens everything. */
export function rightsIn(
  w: Workflow | undefined,
  shown: Shown,
  known: boolean,
  tokens: Tokens,
): Rights | Promise<Rights> {
  if (known || w?.entry?.expose === 'All') return { functions: 'Every', unjudged: NONE };
  const opened = new Set<string>();
  const byToken: { readonly to: string; readonly auth: JwtAuth }[] = [];
  for (const { to, auth } of w?.entry?.triggers ?? [])
    if (auth.type === 'Jwt') byToken.push({ to, auth });
    else if (admits(auth, shown)) opened.add(to);
  const { token } = shown;
  if (token === undefined || byToken.length === 0) return { functions: opened, unjudged: NONE };
  return withToken(opened, byToken, token, tokens);
}

async function withToken(
  opened: Set<string>,
  doors: readonly { readonly to: string; readonly auth: JwtAuth }[],
  token: string,
  tokens: Tokens,
): Promise<Rights> {
  const unjudged = new Set<string>();
  // Triggers with the same demand are judged once: a workflow may have fifty of them.
  const judgements = new Map<string, Promise<Judgement>>();
  for (const { to, auth } of doors) {
    const demand = JSON.stringify([auth.issuer, auth.audiences]);
    const judging = judgements.get(demand) ?? tokens.judge(auth, token);
    judgements.set(demand, judging);
    const { is } = await judging;
    if (is === 'Known') opened.add(to);
    else if (is === 'Unavailable') unjudged.add(to);
  }
  return { functions: opened, unjudged };
}
