/**
 * Who pulls: the credentials of pull secrets, in the form of a docker config (`.dockerconfigjson`).
 *
 * Owns: reading them, and which of them are for a repository: `{"auths": {"<host>[:port][/<path>]": {"auth": base64 of
 * user:password}}}`, the most specific key first, a `*` in a host standing for one label or a part of it, as the kubelet has it.
 * Invariant: what cannot be read is passed over, and told; nobody pulls with somebody else's credential.
 */

export interface Credential {
  /** The key under which it stands, for messages. */
  readonly key: string;
  readonly username: string;
  readonly password: string;
}

/** Credentials for a repository, the most specific first. `onProblem` hears of what cannot be read. */
export function credentialsFor(
  registry: string,
  repository: string,
  configs: readonly string[],
  onProblem: (problem: string) => void,
): readonly Credential[] {
  const found = configs.flatMap((text, i) => {
    const auths = authsIn(text);
    if (!auths) onProblem(`pull secret ${String(i + 1)} is no docker config: it is passed over`);
    return Object.entries(auths ?? {}).flatMap(([key, entry]) => credentialOf(key, entry));
  });
  return found
    .filter(({ key }) => covers(key, registry, repository))
    .sort((a, b) => weightOf(b.key) - weightOf(a.key));
}

/** More of a path is more specific, then a host by its whole name. */
const weightOf = (key: string): number => 2 * placeOf(key).split('/').length - (key.includes('*') ? 1 : 0);

function authsIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const config: unknown = JSON.parse(text);
    const fields = fieldsOf(config);
    return fields && (fieldsOf(fields['auths']) ?? {});
  } catch {
    return undefined; // the parser's own message would quote the text, which is secret
  }
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;

function credentialOf(key: string, entry: unknown): readonly Credential[] {
  const { auth, username, password } = fieldsOf(entry) ?? {};
  if (typeof auth === 'string' && auth !== '') {
    const [user = '', ...rest] = Buffer.from(auth, 'base64').toString('utf8').split(':');
    return rest.length > 0 ? [{ key, username: user, password: rest.join(':') }] : [];
  }
  if (typeof username !== 'string' || typeof password !== 'string') return [];
  return [{ key, username, password }];
}

/** `https://registry.example/v1/` and `registry.example` are one place. */
const placeOf = (key: string): string =>
  key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/+$/, '');

function covers(key: string, registry: string, repository: string): boolean {
  const [host = '', ...path] = placeOf(key).split('/');
  if (!coversHost(host.toLowerCase(), registry)) return false;
  const wanted = repository.split('/');
  return path.every((part, i) => part === wanted[i]);
}

function coversHost(pattern: string, registry: string): boolean {
  const [ours, theirs] = [pattern.split('.'), registry.split('.')];
  return ours.length === theirs.length && ours.every((label, i) => matches(label, theirs[i] ?? ''));
}

function matches(pattern: string, label: string): boolean {
  const [begin = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === label;
  const end = rest.at(-1) ?? '';
  return (
    rest.length === 1 &&
    label.length >= begin.length + end.length &&
    label.startsWith(begin) &&
    label.endsWith(end)
  );
}
