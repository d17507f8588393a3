/** Lines out of a stream of bytes. A line that does not end is cut, so that nobody's output fills the host's memory. */
import { StringDecoder } from 'node:string_decoder';

/** Characters of one log line that are kept. */
export const LINE_LIMIT = 8 * 1024;

export const cutLine = (line: string): string =>
  line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}… (${String(line.length)} characters)` : line;

export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #line: (line: string) => void;
  #rest = '';

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  push(chunk: Uint8Array): void {
    const parts = (this.#rest + this.#decoder.write(Buffer.from(chunk))).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.#line(cutLine(part));
    if (this.#rest.length > LINE_LIMIT) this.flush();
  }

  flush(): void {
    if (this.#rest !== '') this.#line(cutLine(this.#rest));
    this.#rest = '';
  }
}
