/**
 * Keys of `auth: Key` triggers: digests of what stands in a tenant's Secret, where the tenant lets us look.
 *
 * Owns: reading such a Secret by name, and for how long what was read holds. The operator may read no Secret of a tenant
 * unless the tenant grants it for this one; until then nobody gets in.
 * Invariant: a value leaves this file as its sha256 only.
 */
import { createHash } from 'node:crypto';
import type { KubeClient } from '../kube/client.ts';
import { isForbidden } from '../kube/errors.ts';
import { KINDS, keyOf } from '../kube/objects.ts';
import type { Place } from '../kube/objects.ts';
import { error } from '../model/finding.ts';
import type { Finding } from '../model/finding.ts';
import { placeIn } from '../model/directory.ts';
import { namespaceOf } from '../model/nouns.ts';
import type { WorkflowObject } from '../model/nouns.ts';

type Found =
  | { readonly is: 'Read'; readonly digests: readonly string[] }
  | { readonly is: 'NotThere' }
  | { readonly is: 'NotReadable' };

export interface TriggerKeys {
  /** sha256 of every value of each Secret with keys, by its name. */
  readonly digests: Readonly<Record<string, readonly string[]>>;
  /** Secrets that are missing or empty. */
  readonly findings: readonly Finding[];
  /** How to let the operator look, for each Secret where it may not. */
  readonly unreadable: readonly string[];
  /** There are such Secrets: look again after KEYS_HOLD_MS. */
  readonly any: boolean;
}

export interface KeyReaderOptions {
  readonly client: KubeClient;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
  /** `<namespace>:<name>` of the operator's own service account. */
  readonly account: string;
}

/** So long a changed key may go on being taken, and a granted right be overlooked. */
export const KEYS_HOLD_MS = 60_000;

export class KeyReader {
  readonly #options: KeyReaderOptions;
  readonly #known = new Map<string, { readonly found: Found; readonly untilMs: number }>();

  constructor(options: KeyReaderOptions) {
    this.#options = options;
  }

  async keysOf(workflow: WorkflowObject, signal: AbortSignal): Promise<TriggerKeys> {
    const namespace = namespaceOf(workflow);
    const wanted = workflow.spec.triggers.flatMap((trigger, i) => {
      const name = trigger.http?.auth.key?.secretRef.name;
      return name === undefined ? [] : [{ name, field: `spec.triggers[${i}].http.auth.key.secretRef.name` }];
    });
    const names = [...new Set(wanted.map((w) => w.name))].sort();
    const found = new Map<string, Found>();
    for (const name of names) found.set(name, await this.#look({ namespace, name }, signal));
    return {
      digests: Object.fromEntries(
        [...found].flatMap(([name, one]) => (one.is === 'Read' ? [[name, one.digests] as const] : [])),
      ),
      findings: wanted.flatMap(({ name, field }) =>
        problem(found.get(name), placeIn(workflow, field, name), namespace),
      ),
      unreadable: names
        .filter((name) => found.get(name)?.is === 'NotReadable')
        .map((name) => this.#grant(namespace, name)),
      any: names.length > 0,
    };
  }

  async #look(place: Place, signal: AbortSignal): Promise<Found> {
    const key = keyOf(place);
    const known = this.#known.get(key);
    const nowMs = this.#options.clock();
    if (known && nowMs < known.untilMs) return known.found;
    const found = await this.#read(place, signal);
    for (const [old, { untilMs }] of this.#known) if (untilMs <= nowMs) this.#known.delete(old);
    this.#known.set(key, { found, untilMs: nowMs + KEYS_HOLD_MS });
    return found;
  }

  async #read(place: Place, signal: AbortSignal): Promise<Found> {
    try {
      const secret = await this.#options.client.find(KINDS.secrets, place, { signal });
      if (!secret) return { is: 'NotThere' };
      const values = Object.values(secret.data ?? {}).map((text) => Buffer.from(text, 'base64'));
      const digests = values.map((value) => createHash('sha256').update(value).digest('hex'));
      return { is: 'Read', digests: digests.sort() };
    } catch (cause) {
      if (isForbidden(cause)) return { is: 'NotReadable' };
      throw cause;
    }
  }

  #grant(namespace: string, name: string): string {
    const role = `sinter-key-${name}`;
    const bind = `kubectl create rolebinding ${role} -n ${namespace} --role=${role} --serviceaccount=${this.#options.account}`;
    return (
      `Secret ${namespace}/${name} may not be read, so its trigger lets nobody in; to grant it: ` +
      `kubectl create role ${role} -n ${namespace} --verb=get --resource=secrets --resource-name=${name} && ${bind}`
    );
  }
}

function problem(
  found: Found | undefined,
  place: ReturnType<typeof placeIn>,
  namespace: string,
): readonly Finding[] {
  if (found?.is === 'NotThere')
    return [
      error(
        'SecretNotFound',
        place,
        `is no Secret of namespace ${namespace}; create it, or correct the name`,
      ),
    ];
  if (found?.is === 'Read' && found.digests.length === 0)
    return [
      error('SecretEmpty', place, 'is a Secret without a value, so nobody could call; add a key to it'),
    ];
  return [];
}
