/**
 * Where a text stops being JSON. The engine's own message leaves the position out for the most common mistakes.
 *
 * Runs only after JSON.parse has refused a text; it recurses nowhere, so that no depth of nesting matters.
 */

export interface Mistake {
  /** Index of the first character that cannot stand there, from 0; the length of the text where it ends too early. */
  readonly position: number;
  readonly line: number;
  readonly column: number;
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// Control characters are what JSON forbids in a string.
const STRING_PART = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;

/** The first mistake in a text; undefined where it is JSON. */
export function jsonMistake(text: string): Mistake | undefined {
  const position = new Scan(text).mistakeAt();
  return position === undefined ? undefined : at(text, position);
}

function at(text: string, position: number): Mistake {
  const before = text.slice(0, position);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { position, line: before.split('\n').length, column: position - lineStart + 1 };
}

type Expect = 'Value' | 'ValueOrEnd' | 'Key' | 'KeyOrEnd' | 'Colon' | 'CommaOrEnd';

class Scan {
  readonly #text: string;
  #at = 0;
  /** The closing brackets that are owed, outermost first. */
  readonly #open: ('}' | ']')[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  mistakeAt(): number | undefined {
    let expect: Expect = 'Value';
    for (;;) {
      this.#skip(SPACE);
      if (expect === 'CommaOrEnd' && this.#open.length === 0)
        return this.#at === this.#text.length ? undefined : this.#at;
      const next: Expect | undefined = this.#step(expect);
      if (next === undefined) return this.#at;
      expect = next;
    }
  }

  /** Reads one token where `expect` says what may come; undefined where none of that stands there. */
  #step(expect: Expect): Expect | undefined {
    const char = this.#text[this.#at];
    switch (expect) {
      case 'Colon':
        return char === ':' ? this.#take('Value') : undefined;
      case 'CommaOrEnd':
        if (char === ',') return this.#take(this.#open.at(-1) === '}' ? 'Key' : 'Value');
        return this.#close(char);
      case 'KeyOrEnd':
      case 'Key':
        if (char === '"') return this.#string() ? 'Colon' : undefined;
        return expect === 'KeyOrEnd' ? this.#close(char) : undefined;
      case 'ValueOrEnd':
        return char === ']' ? this.#close(char) : this.#value(char);
      case 'Value':
        return this.#value(char);
    }
  }

  #value(char: string | undefined): Expect | undefined {
    if (char === '{') return this.#nest('}', 'KeyOrEnd');
    if (char === '[') return this.#nest(']', 'ValueOrEnd');
    if (char === '"') return this.#string() ? 'CommaOrEnd' : undefined;
    return this.#skip(SCALAR) ? 'CommaOrEnd' : undefined;
  }

  #nest(end: '}' | ']', next: Expect): Expect {
    this.#open.push(end);
    return this.#take(next);
  }

  #close(char: string | undefined): Expect | undefined {
    if (char === undefined || char !== this.#open.at(-1)) return undefined;
    this.#open.pop();
    return this.#take('CommaOrEnd');
  }

  #take(next: Expect): Expect {
    this.#at += 1;
    return next;
  }

  #string(): boolean {
    this.#at += 1;
    this.#skip(STRING_PART);
    if (this.#text[this.#at] !== '"') return false;
    this.#at += 1;
    return true;
  }

  /** Moves over a match; says whether there was one that is not empty. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.#text)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }
}
