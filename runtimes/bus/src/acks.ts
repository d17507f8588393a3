/**
 * What JetStream answers to a message that it was to store.
 *
 * Owns: the reading of that answer. An answer alone does not mean that anything was stored: it may say why it was not.
 */
import { CallError } from '@sinter/contract';
import type { Msg } from '@nats-io/transport-node';

/** The server is out of space for this stream, or for all: no resend will mend that. */
const FULL: ReadonlySet<number> = new Set([10023, 10047, 10077]);

/** Says whether the server had the message already. Throws `QuotaExceeded` or `BusUnavailable` where it was not stored. */
export function readAck(msg: Msg, what: string): { readonly duplicate: boolean } {
  const ack = parsed(msg);
  if (ack === undefined || !('stream' in ack)) {
    const { code, description } = refusalIn(ack);
    throw new CallError(
      FULL.has(code) ? 'QuotaExceeded' : 'BusUnavailable',
      `${what}: the bus did not store it: ${description}`,
    );
  }
  return { duplicate: 'duplicate' in ack && ack.duplicate === true };
}

function parsed(msg: Msg): object | undefined {
  try {
    const found: unknown = JSON.parse(msg.string());
    return typeof found === 'object' && found !== null ? found : undefined;
  } catch {
    return undefined; // told by the caller as an answer that says nothing
  }
}

function refusalIn(ack: object | undefined): { readonly code: number; readonly description: string } {
  const error: unknown = ack !== undefined && 'error' in ack ? ack.error : undefined;
  if (typeof error !== 'object' || error === null)
    return { code: 0, description: 'its answer cannot be read' };
  return {
    code: 'err_code' in error ? Number(error.err_code) : 0,
    description: 'description' in error ? String(error.description) : 'refused',
  };
}
