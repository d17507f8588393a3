/** A span as the graph is derived from it, and what is said of spans that are not as they should be. */

export type SpanKind = 'Internal' | 'Server' | 'Client' | 'Producer' | 'Consumer';

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it has none. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since 1970, by the clock of the machine that it is of. */
  readonly startMs: number;
  readonly endMs: number;
  readonly failed: boolean;
  /** `service.name`. */
  readonly service: string;
  /** The machine that it ran on; empty: not said. */
  readonly host: string;
  /** Sizes in bytes, where it says them. */
  readonly requestBytes: number | undefined;
  readonly responseBytes: number | undefined;
  /** How many spans stand behind it: 10 where every tenth trace was kept. */
  readonly weight: number;
  readonly links: readonly SpanRef[];
}

export interface SpanRef {
  readonly traceId: string;
  readonly spanId: string;
}

export const keyOf = ({ traceId, spanId }: SpanRef): string => `${traceId} ${spanId}`;

/** What was assumed where spans do not say it, or contradict themselves: as sentences, each once, with a count. */
export class Assumptions {
  readonly #counts = new Map<string, number>();

  /** `sentence` has a `#` where the count goes, if it has one. */
  add(sentence: string, count = 1): void {
    if (count > 0) this.#counts.set(sentence, (this.#counts.get(sentence) ?? 0) + count);
  }

  count(sentence: string): number {
    return this.#counts.get(sentence) ?? 0;
  }

  list(): readonly string[] {
    return [...this.#counts].map(([sentence, count]) => sentence.replace('#', String(count)));
  }
}
