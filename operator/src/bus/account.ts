/**
 * Brings a changed account to a server (D11): what was revoked is then refused, and cut off where it is connected.
 *
 * A server takes a changed account over its system account, keeps it in its own folder and goes by it at once. Each
 * server answers for itself, so one whose answer is missing is known.
 */
import type { NatsConnection } from '@nats-io/transport-node';

const ANSWER_LIMIT_MS = 5000;

/** Tells the server to which `system` (a connection of the system account) leads. Rejects with its reason. */
export async function pushAccount(system: NatsConnection, account: string, token: string): Promise<void> {
  const subject = `$SYS.REQ.ACCOUNT.${account}.CLAIMS.UPDATE`;
  const answer = await system.request(subject, token, { timeout: ANSWER_LIMIT_MS });
  const { error } = answer.json<{ readonly error?: { readonly description?: string } }>();
  if (error) throw new Error(`the server refused the account: ${error.description ?? 'without a reason'}`);
}
