/**
 * HTML and SVG as text that cannot be broken out of: whatever is put into a template is escaped, unless a template made it.
 */

export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = string | number | undefined | Markup | readonly Content[];

/** Undefined says nothing. Attributes stand in double quotes. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  const text = parts.map((part, i) => lean(part) + (i < contents.length ? textOf(contents[i]) : ''));
  return new Markup(text.join(''));
}

/** How a template is laid out is for who reads it here. */
const lean = (part: string): string => part.replace(/\n\s+/g, '\n');

function textOf(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  return escaped(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What XML has no place for at all, and what turns the direction of a line around, is shown as a mark of its own. */
const escaped = (text: string): string =>
  text
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
    .replace(/(?![\n\t])[\p{Cc}\u{202A}-\u{202E}\u{2066}-\u{2069}\p{Cs}]/gu, '\u{FFFD}');
