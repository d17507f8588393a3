/**
 * A finding: something about declared objects that their author has to know.
 *
 * Owns: the shape, and how a message reads. An Error says that the object cannot be followed (what runs stays as it
 * was); a Notice says that it is followed differently than written.
 * Invariant: a message names the field, what was given, what is allowed, and what to do.
 */

export interface ObjectName {
  readonly kind: string;
  /** Empty for what belongs to no namespace. */
  readonly namespace: string;
  readonly name: string;
}

export interface Finding {
  readonly severity: 'Error' | 'Notice';
  /** The fact found, one word in PascalCase; stable, for programs. */
  readonly reason: string;
  readonly object: ObjectName;
  /** Path in the style of Kubernetes, like `spec.edges[0].to`; empty for the object itself. */
  readonly field: string;
  /** What was given, shortened; empty where nothing was. */
  readonly given: string;
  /** One sentence or two that stand alone. */
  readonly message: string;
}

const GIVEN_MAX = 120;

const shown = (value: unknown): string => {
  if (value === undefined) return '';
  const whole = typeof value === 'string' ? value : JSON.stringify(value);
  return whole.length <= GIVEN_MAX ? whole : `${whole.slice(0, GIVEN_MAX - 1)}…`;
};

/** Where a finding is: the object, the field, and what was given there. */
export interface Place {
  readonly object: ObjectName;
  readonly field: string;
  readonly given?: unknown;
}

const make = (severity: Finding['severity'], reason: string, place: Place, says: string): Finding => {
  const given = shown(place.given);
  const where = place.field === '' ? '' : `${place.field}: `;
  const what = given === '' ? '' : `'${given}' `;
  return {
    severity,
    reason,
    object: place.object,
    field: place.field,
    given,
    message: `${where}${what}${says}`,
  };
};

/** `says` goes on from "<field>: '<given>' ". */
export const error = (reason: string, place: Place, says: string): Finding =>
  make('Error', reason, place, says);

/** What was written and comes with a later capability: the field, and what happens instead. */
export const notice = (reason: string, place: Place, says: string): Finding =>
  make('Notice', reason, place, says);

export const isError = (finding: Finding): boolean => finding.severity === 'Error';

/** `Kind namespace/name`, as messages name an object. */
export const objectLabel = (o: ObjectName): string =>
  `${o.kind} ${o.namespace === '' ? '' : `${o.namespace}/`}${o.name}`;
