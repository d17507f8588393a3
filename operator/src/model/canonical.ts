/**
 * Canonical JSON: one text for one value, whatever the order in which its keys were written.
 *
 * Owns: keys sorted by UTF-16 code units (as RFC 8785 has it), no white space, numbers as JavaScript writes them. What
 * JSON cannot say throws: a hash over a value that silently lost a part would call two different things the same.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return numberText(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  if (typeof value === 'object') return objectText(value as Readonly<Record<string, unknown>>);
  throw new TypeError(`canonical JSON cannot say a ${typeof value}`);
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`canonical JSON cannot say ${value}`);
  return JSON.stringify(value);
}

/** A field that is undefined is a field that is not there. */
function objectText(value: Readonly<Record<string, unknown>>): string {
  const fields = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
  return `{${fields.join(',')}}`;
}
