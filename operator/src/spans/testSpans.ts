/** Spans for tests, a line each, as OTLP/JSON. */

export interface SpanLine {
  readonly service: string;
  readonly id: string;
  readonly parent?: string;
  readonly kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** Milliseconds from a moment in 2026 to another. */
  readonly at: readonly [number, number];
  readonly name?: string;
  readonly trace?: string;
  readonly host?: string;
  readonly links?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | number>>;
  readonly failed?: boolean;
  readonly traceState?: string;
}

const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const EPOCH_MS = 1_790_000_000_000;

export const nanoseconds = (ms: number): string => String(BigInt(Math.round((EPOCH_MS + ms) * 1000)) * 1000n);

const attributesOf = (values: Readonly<Record<string, string | number>>) =>
  Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));

function rawOf({ id, parent = '', kind = 'server', at, trace = 't1', failed, ...line }: SpanLine): object {
  return {
    traceId: trace,
    spanId: id,
    parentSpanId: parent,
    name: line.name ?? 'GET /',
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(at[0]),
    endTimeUnixNano: nanoseconds(at[1]),
    attributes: attributesOf(line.attributes ?? {}),
    links: (line.links ?? []).map((link) => {
      const [traceId, spanId] = link.split('/');
      return { traceId, spanId };
    }),
    status: failed === true ? { code: 2 } : {},
    ...(line.traceState === undefined ? {} : { traceState: line.traceState }),
  };
}

/** One object for each span, as an exporter that does not batch writes them. */
export const exportsOf = (lines: readonly SpanLine[]): readonly object[] =>
  lines.map((line) => ({
    resourceSpans: [
      {
        resource: {
          attributes: attributesOf({
            'service.name': line.service,
            ...(line.host === undefined ? {} : { 'host.name': line.host }),
          }),
        },
        scopeSpans: [{ scope: { name: 'test' }, spans: [rawOf(line)] }],
      },
    ],
  }));

export const textOf = (lines: readonly SpanLine[]): string =>
  `${exportsOf(lines)
    .map((one) => JSON.stringify(one))
    .join('\n')}\n`;
