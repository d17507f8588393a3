/**
 * A request's body as a payload (D4): read up to the limit, and refused early where it cannot be one.
 *
 * Invariant: never more than the limit is kept in memory, whatever length a request declares.
 */
import type { IncomingMessage } from 'node:http';
import { JSON_TYPE, PAYLOAD_LIMIT_BYTES, BYTES_TYPE, kindOf } from '@sinter/contract';
import type { Payload } from '@sinter/contract';
import { jsonMistake } from './json.ts';
import { Problem } from './problem.ts';

const EMPTY = new Uint8Array(0);
const NULL: Payload = { contentType: JSON_TYPE, bytes: new TextEncoder().encode('null') };
const CONTENT_TYPE_LIMIT = 255;
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]*)/i;
const UTF8 = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What speaks against a body before it is read. */
export function bodyRefusal(req: IncomingMessage): Problem | undefined {
  const { headers } = req;
  if (Number(headers['content-length'] ?? 0) > PAYLOAD_LIMIT_BYTES)
    return tooLarge(`${headers['content-length'] ?? ''} bytes`);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return new Problem(
      'UnsupportedMediaType',
      `Content-Encoding '${clip(encoding)}' is not taken: send the body as it is`,
    );
  return contentTypeRefusal(headers['content-type']);
}

function contentTypeRefusal(contentType: string | undefined): Problem | undefined {
  if (contentType === undefined) return undefined;
  if (contentType.length > CONTENT_TYPE_LIMIT)
    return new Problem(
      'UnsupportedMediaType',
      `Content-Type has ${String(contentType.length)} characters, at most ${String(CONTENT_TYPE_LIMIT)} are allowed`,
    );
  if (kindOf(contentType) === 'Bytes') return undefined;
  const charset = CHARSET.exec(contentType)?.[1];
  if (charset === undefined || UTF8.has(charset.toLowerCase())) return undefined;
  return new Problem('UnsupportedMediaType', `charset '${clip(charset)}' is not taken: send UTF-8`);
}

/** Reads a body; undefined where the client went away before its end. */
export function readBody(req: IncomingMessage): Promise<Uint8Array | Problem | undefined> | Uint8Array {
  const { headers } = req;
  const length = headers['content-length'];
  if ((length === undefined || length === '0') && headers['transfer-encoding'] === undefined) return EMPTY;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= PAYLOAD_LIMIT_BYTES) {
        chunks.push(chunk);
        return;
      }
      req.off('data', onData);
      req.pause();
      resolve(tooLarge(`more than ${String(PAYLOAD_LIMIT_BYTES)} bytes`));
    };
    req.on('data', onData);
    req.once('end', () => {
      resolve(chunks.length === 1 ? (chunks[0] ?? EMPTY) : Buffer.concat(chunks));
    });
    req.once('close', () => {
      resolve(undefined);
    });
  });
}

/** The body as a payload: JSON is checked to be JSON, text to be UTF-8, anything else is bytes. */
export function payloadOf(contentType: string | undefined, bytes: Uint8Array): Payload | Problem {
  if (contentType === undefined) return bytes.byteLength === 0 ? NULL : { contentType: BYTES_TYPE, bytes };
  const kind = kindOf(contentType);
  if (kind === 'Bytes') return { contentType, bytes };
  if (kind === 'Json' && bytes.byteLength === 0) return { contentType, bytes: NULL.bytes };
  let text: string;
  try {
    text = strict.decode(bytes);
  } catch {
    return new Problem('BadRequest', `the body is declared as ${clip(contentType)} but is not valid UTF-8`);
  }
  return (kind === 'Json' ? jsonRefusal(text) : undefined) ?? { contentType, bytes };
}

function jsonRefusal(text: string): Problem | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (cause) {
    const mistake = jsonMistake(text);
    const where =
      mistake === undefined
        ? String(cause)
        : mistake.position === text.length
          ? `it ends too early, at position ${String(mistake.position)}`
          : `'${text.charAt(mistake.position)}' at position ${String(mistake.position)} ` +
            `(line ${String(mistake.line)}, column ${String(mistake.column)}) cannot stand there`;
    return new Problem('BadRequest', `the body is declared as JSON but does not parse: ${where}`, {
      reason: 'NotJson',
    });
  }
}

const tooLarge = (given: string): Problem =>
  new Problem(
    'PayloadTooLarge',
    `the body has ${given}, at most ${String(PAYLOAD_LIMIT_BYTES)} are allowed: ` +
      `send a reference to where the data lies, or split it`,
  );

const clip = (s: string): string => (s.length > 80 ? `${s.slice(0, 80)}…` : s);
