/**
 * One repository of a registry, by the distribution API (`/v2/`): manifests and blobs by digest.
 *
 * Owns: who asks. A registry says how it wants to be asked with a challenge (RFC 7235): `Basic`, or `Bearer` with the place
 * where tokens are given. Tried in turn: the credentials of pull secrets, the most specific first, then nobody's.
 * Invariant: an answer that is no content is an ImageError; only what passes by itself is marked so.
 */
import type { Credential } from './credentials.ts';
import { ImageError } from './imageError.ts';
import type { Reference } from './reference.ts';
import { bytesOf, get } from './wire.ts';
import type { Answer } from './wire.ts';

export interface RegistryOptions {
  readonly reference: Reference;
  /** Asked over plain http. */
  readonly insecure: boolean;
  readonly credentials: readonly Credential[];
  readonly signal: AbortSignal;
}

const TOKEN_LIMIT_BYTES = 256 * 1024;

export class Registry {
  readonly #options: RegistryOptions;
  /** What was taken last time. */
  #authorization: string | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** The content behind `manifests/<digest>` or `blobs/<digest>`, to be read by who asks. */
  async open(kind: 'manifests' | 'blobs', digest: string, accept: string): Promise<Answer> {
    const { registry, repository } = this.#options.reference;
    const scheme = this.#options.insecure ? 'http' : 'https';
    const url = new URL(`${scheme}://${registry}/v2/${repository}/${kind}/${digest}`);
    const answer = await this.#ask(url, accept);
    if (answer.status === 200) return answer;
    answer.body.destroy();
    throw this.#refusal(answer.status, kind, digest);
  }

  async #ask(url: URL, accept: string): Promise<Answer> {
    const first = await this.#get(url, accept, this.#authorization);
    if (first.status !== 401 || first.origin !== url.origin) return first;
    first.body.destroy();
    const challenge = first.body.headers['www-authenticate'] ?? '';
    for (const credential of [...this.#options.credentials, undefined]) {
      const authorization = await this.#authorize(challenge, credential);
      if (authorization === undefined) continue;
      const answer = await this.#get(url, accept, authorization);
      if (answer.status !== 401 && answer.status !== 403) {
        this.#authorization = authorization;
        return answer;
      }
      answer.body.destroy();
    }
    return first;
  }

  #get(url: URL, accept: string, authorization: string | undefined): Promise<Answer> {
    const { insecure, signal } = this.#options;
    const headers = {
      Accept: accept,
      ...(authorization === undefined ? {} : { Authorization: authorization }),
    };
    return get(url, { headers, insecure, signal });
  }

  /** What a challenge asks for; undefined where this credential does not give it. */
  async #authorize(challenge: string, credential: Credential | undefined): Promise<string | undefined> {
    const [scheme = '', parameters = ''] = challenge.split(/ (.*)/s);
    if (scheme.toLowerCase() === 'basic') return credential && basic(credential);
    if (scheme.toLowerCase() === 'bearer') return await this.#token(parametersOf(parameters), credential);
    throw new ImageError(
      'ImageNotUnderstood',
      `registry ${this.#options.reference.registry} asks for credentials in a way that is not known here ` +
        `('${scheme.slice(0, 40)}'; Basic and Bearer are)`,
    );
  }

  async #token(
    { realm, service }: Readonly<Record<string, string>>,
    credential: Credential | undefined,
  ): Promise<string | undefined> {
    const { reference, insecure, signal } = this.#options;
    const url = URL.parse(realm ?? '');
    if (!url)
      throw new ImageError('ImageNotUnderstood', `registry ${reference.registry} names no place for tokens`);
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${reference.repository}:pull`);
    const headers = {
      Accept: 'application/json',
      ...(credential ? { Authorization: basic(credential) } : {}),
    };
    const answer = await get(url, { headers, insecure, signal });
    if (answer.status !== 200) {
      answer.body.destroy();
      if (answer.status < 500 && answer.status !== 429) return undefined;
      throw new ImageError(
        'RegistryUnreachable',
        `${url.origin} gave no token: it answered ${String(answer.status)}`,
        { passing: true },
      );
    }
    const token = tokenIn(await bytesOf(answer, TOKEN_LIMIT_BYTES, `the token from ${url.origin}`));
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  #refusal(status: number, kind: 'manifests' | 'blobs', digest: string): ImageError {
    const { registry, repository } = this.#options.reference;
    if (status === 401 || status === 403) return this.#unauthorized();
    if (status === 404) {
      const what = kind === 'manifests' ? `no image ${digest}` : `no blob ${digest}, which the image names`;
      return new ImageError(
        'ImageNotFound',
        `registry ${registry} has ${what} in ${repository}: push it, or correct module.image.reference`,
      );
    }
    const passing = status >= 500 || status === 429 || status === 408;
    return new ImageError('RegistryUnreachable', `registry ${registry} answered ${String(status)}`, {
      passing,
    });
  }

  #unauthorized(): ImageError {
    const { reference, credentials } = this.#options;
    const place = `${reference.registry}/${reference.repository}`;
    const given =
      credentials.length === 0
        ? `and no pull secret has credentials for it: name one in template.spec.imagePullSecrets of the Function ` +
          `(type kubernetes.io/dockerconfigjson, with auths for ${reference.registry}); on a laptop, auths in ~/.docker/config.json`
        : `also with the credentials of ${credentials.map((c) => `'${c.key}'`).join(', ')}: correct them, or let them read there`;
    return new ImageError('Unauthorized', `the registry does not let ${place} be pulled, ${given}`);
  }
}

const basic = ({ username, password }: Credential): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** `realm="…",service="…"`: the parameters of a challenge, by name in lower case. */
function parametersOf(text: string): Readonly<Record<string, string>> {
  const found = text.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))/g);
  return Object.fromEntries(
    Array.from(found, ([, name = '', quoted, bare]) => [
      name.toLowerCase(),
      quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '',
    ]),
  );
}

function tokenIn(bytes: Buffer): string | undefined {
  try {
    const { token, access_token } = JSON.parse(bytes.toString('utf8')) as Readonly<Record<string, unknown>>;
    const found = token ?? access_token;
    return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined; // then nobody is let in by it
  }
}
