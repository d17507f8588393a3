/**
 * Header blocks as NATS writes them, without the client's bookkeeping: a call writes a dozen headers, and the client's own
 * block searches its keys at every `set` and `get`.
 *
 * Invariant: a value never holds a line break; a call whose key or content type had one would else forge headers.
 */
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import type { HeaderReader, HeaderWriter } from '@sinter/contract';

const encoder = new TextEncoder();
const LINE_BREAKS = /[\r\n]+/g;

/** A block to write. It has what `publish` uses of the client's `MsgHdrs`: `encode`. */
export class HeaderBlock implements HeaderWriter {
  #text = 'NATS/1.0\r\n';

  set(name: string, value: string): void {
    this.#text += `${name}: ${value.replace(LINE_BREAKS, ' ')}\r\n`;
  }

  encode(): Uint8Array {
    return encoder.encode(`${this.#text}\r\n`);
  }

  /** For `publish`, which calls nothing but `encode`. */
  asMsgHdrs(): MsgHdrs {
    return this as unknown as MsgHdrs;
  }
}

/** A block that was read, as a map; names are as written by us, so they need no folding. */
export class HeaderMap implements HeaderReader {
  readonly #map = new Map<string, string>();
  readonly code: number;

  constructor(headers: MsgHdrs) {
    this.code = headers.code;
    for (const [name, values] of headers) this.#map.set(name, values[0] ?? '');
  }

  get(name: string): string {
    return this.#map.get(name) ?? '';
  }
}

export const headersOf = (msg: Msg): HeaderMap | undefined =>
  msg.headers === undefined ? undefined : new HeaderMap(msg.headers);

/** The server's own answer that nobody listens on a subject. */
export const isNoResponders = (msg: Msg): boolean => msg.data.byteLength === 0 && msg.headers?.code === 503;
