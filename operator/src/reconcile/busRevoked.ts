/**
 * Keeps what was revoked, in a Secret of its own: the keys beside it are never written again.
 */
import { isUserKey, revoke } from '../bus/keys.ts';
import type { Validity } from '../bus/keys.ts';
import type { SecretStore } from './bus.ts';
import { revokedIn, secretNames } from './busSecrets.ts';

const TRIES = 5;

/**
 * Adds keys of users. What is there already is left: nothing is issued to a key that was revoked. Keys are read from Deployments,
 * which tenants may edit: what is none is left out, for a list with such an entry cannot be read again.
 */
export async function addRevoked(
  secrets: SecretStore,
  fullname: string,
  publicKeys: readonly string[],
  validity: Validity,
): Promise<void> {
  const name = secretNames(fullname).revoked;
  for (let left = TRIES; left > 0; left--) {
    const found = await secrets.read(name);
    const before = revokedIn(found);
    const added = publicKeys.filter((key) => before[key] === undefined && isUserKey(key));
    if (added.length === 0) return;
    const revoked = added.reduce((all, key) => revoke({ revoked: all }, key, validity).revoked, before);
    const outcome = await secrets.write({
      name,
      data: { 'revoked.json': JSON.stringify(revoked) },
      annotations: {},
      type: 'Opaque',
      immutable: false,
      because: `${String(added.length)} credentials are void`,
      ...(found ? { over: found.resourceVersion } : {}),
    });
    if (outcome === 'Written') return;
  }
  throw new Error(`Secret ${name}: others wrote at the same time, ${String(TRIES)} times`);
}
