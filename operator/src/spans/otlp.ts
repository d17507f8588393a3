/**
 * Spans out of OTLP/JSON: one file, or one object a line, as the collector's file exporter writes them.
 *
 * Owns: the form, and what is said where a text does not have it. Of the form only that is asked for which the graph is derived
 * from; what else stands there is not looked at. Neighbour: `trees.ts` puts the spans together.
 * Invariants:
 *  1. A text that is not of this form gives no spans, and says at which line and field.
 *  2. What is left out of a text that is of this form is counted among the assumptions.
 */
import { z } from 'zod';
import { judge } from '../model/schemas.ts';
import type { Problem } from '../model/schemas.ts';
import { keyOf } from './span.ts';
import type { Assumptions, Span, SpanKind } from './span.ts';

export type Reading<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** More would not fit into memory beside what is derived from it. */
const SPANS_MAX = 2_000_000;
/** Of a text with many mistakes so many are told. */
const PROBLEMS_MAX = 5;

const nanoseconds = () =>
  z
    .union([z.string().regex(/^\d{1,20}$/), z.int().min(0)])
    .describe('Nanoseconds since 1970; as text, because a number in JSON may be too coarse.');
const id = () => z.string().min(1).max(64);
const value = z.looseObject({});
const attribute = z.looseObject({ key: z.string(), value: value.optional() });
const attributes = () => z.array(attribute).optional();

const KINDS: Readonly<Record<string | number, SpanKind>> = {
  0: 'Internal',
  1: 'Internal',
  2: 'Server',
  3: 'Client',
  4: 'Producer',
  5: 'Consumer',
  SPAN_KIND_UNSPECIFIED: 'Internal',
  SPAN_KIND_INTERNAL: 'Internal',
  SPAN_KIND_SERVER: 'Server',
  SPAN_KIND_CLIENT: 'Client',
  SPAN_KIND_PRODUCER: 'Producer',
  SPAN_KIND_CONSUMER: 'Consumer',
};

const span = z.looseObject({
  traceId: id(),
  spanId: id(),
  parentSpanId: z.string().max(64).optional(),
  traceState: z.string().optional(),
  name: z.string().optional(),
  kind: z.union([z.int().min(0).max(5), z.enum(kindNames())]).optional(),
  startTimeUnixNano: nanoseconds(),
  endTimeUnixNano: nanoseconds(),
  attributes: attributes(),
  links: z.array(z.looseObject({ traceId: id(), spanId: id() })).optional(),
  status: z.looseObject({ code: z.union([z.int(), z.string()]).optional() }).optional(),
});

function kindNames(): [string, ...string[]] {
  const [first = '', ...rest] = Object.keys(KINDS).filter((k) => k.startsWith('SPAN_KIND_'));
  return [first, ...rest];
}

const resourceSpans = z.array(
  z.looseObject({
    resource: z.looseObject({ attributes: attributes() }).optional(),
    scopeSpans: z.array(z.looseObject({ spans: z.array(span).optional() })).optional(),
  }),
);
const document = z.looseObject({ resourceSpans });

type Document = z.output<typeof document>;
type Attributes = z.output<ReturnType<typeof attributes>>;
type Raw = z.output<typeof span>;

/** Every span of a text, each once. */
export function readSpans(text: string, assumptions: Assumptions): Reading<readonly Span[]> {
  const parsed = parse(text, assumptions);
  if (!parsed.ok) return parsed;
  const found = new Map<string, Span>();
  const problems: Problem[] = [];
  let isOther = true;
  for (const { at, value: one } of parsed.value) {
    if (isOtherSignal(one)) continue;
    isOther = false;
    const judged = judge(withResourceSpans(one), document);
    if (!judged.ok) problems.push(...judged.problems.map((p) => placed(at, p, one)));
    else collect(judged.value, found, assumptions);
    if (problems.length > PROBLEMS_MAX) break;
    if (found.size > SPANS_MAX)
      return refused(`has more than ${SPANS_MAX} spans: take a shorter stretch of time`);
  }
  if (problems.length > 0) return { ok: false, problems: problems.slice(0, PROBLEMS_MAX) };
  if (isOther) return refused('has metrics or logs, but no resourceSpans: export traces');
  if (found.size === 0) return refused('has no span: export traces while the services are called');
  return { ok: true, value: [...found.values()] };
}

const refused = (message: string, given = ''): Reading<never> => ({
  ok: false,
  problems: [{ field: '', given, message }],
});

/** The collector writes every signal that it is told to into one file. */
const isOtherSignal = (one: unknown): boolean =>
  isObject(one) && !('resourceSpans' in one) && ('resourceMetrics' in one || 'resourceLogs' in one);

const isObject = (one: unknown): one is Readonly<Record<string, unknown>> =>
  typeof one === 'object' && one !== null && !Array.isArray(one);

/** Tempo gives the same under another name. */
const withResourceSpans = (one: unknown): unknown =>
  isObject(one) && !('resourceSpans' in one) && 'batches' in one ? { resourceSpans: one['batches'] } : one;

function placed(at: string, problem: Problem, one: unknown): Problem {
  const other = otherForm(one);
  if (other !== undefined) return { field: at, given: '', message: other };
  return { ...problem, field: [at, problem.field].filter((part) => part !== '').join(': ') };
}

/** What other tools write, by what is special in it. */
function otherForm(one: unknown): string | undefined {
  const asked = 'export OTLP/JSON, for example with the file exporter of the OpenTelemetry collector';
  if (!isObject(one)) return `must be an object with resourceSpans; ${asked}`;
  if ('resourceSpans' in one || 'batches' in one) return undefined;
  if ('data' in one) return `has data in place of resourceSpans, which is the form of Jaeger; ${asked}`;
  if ('localEndpoint' in one) return `has localEndpoint, which is the form of Zipkin; ${asked}`;
  if ('resource_spans' in one)
    return 'has resource_spans: OTLP/JSON says resourceSpans, in camel case throughout';
  return `must have resourceSpans; ${asked}`;
}

// ---- text to objects

interface Parsed {
  /** As messages say it: `line 3`; empty where there is one object. */
  readonly at: string;
  readonly value: unknown;
}

function parse(text: string, assumptions: Assumptions): Reading<readonly Parsed[]> {
  if (text.trim() === '') return refused('is empty: it must have spans as OTLP/JSON');
  const whole = jsonOf(text);
  if (whole) {
    if (!Array.isArray(whole.value)) return { ok: true, value: [{ at: '', value: whole.value }] };
    return { ok: true, value: whole.value.map((value: unknown, i) => ({ at: `[${i}]`, value })) };
  }
  return parseLines(text, assumptions);
}

function parseLines(text: string, assumptions: Assumptions): Reading<readonly Parsed[]> {
  const lines = text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [{ line, number: i + 1 }]));
  const parsed: Parsed[] = [];
  for (const [i, { line, number }] of lines.entries()) {
    const json = jsonOf(line);
    if (json) {
      parsed.push({ at: `line ${number}`, value: json.value });
      continue;
    }
    if (i === 0) return refused(whyNoJson(text), ending(text));
    if (i < lines.length - 1)
      return refused(`is how line ${number} ends, and it is not JSON: remove it`, ending(line));
    assumptions.add('the last line is cut off in the middle: it is left out');
  }
  return { ok: true, value: parsed };
}

function jsonOf(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

const ENDING = 40;
/** On one line, as messages quote it. */
const ending = (text: string): string => {
  const flat = text
    .slice(-20 * ENDING)
    .replaceAll(/\s+/g, ' ')
    .trim();
  return text.length <= ENDING ? flat : `…${flat.slice(-ENDING)}`;
};

function whyNoJson(text: string): string {
  const word = /[:[,]\s*(-?(?:NaN|Infinity)|undefined)\b/.exec(text.replace(/"(?:[^"\\]|\\.)*"/g, '""'))?.[1];
  if (word !== undefined)
    return `is how it ends, and it is not JSON: it has ${word}, which is no number there`;
  if (text.trimStart().startsWith('{') || text.trimStart().startsWith('['))
    return 'is how it ends, and that is not the end of a JSON object: it is truncated; export it again';
  return 'is how it ends, but it is not JSON: export OTLP/JSON, not protobuf or text';
}

// ---- objects to spans

const TWICE = '# spans came more than once: each is counted once';
const NO_SERVICE = '# spans have no service.name: they are taken for one service, unknown';

function collect(doc: Document, into: Map<string, Span>, assumptions: Assumptions): void {
  for (const { resource, scopeSpans = [] } of doc.resourceSpans) {
    const service = textOf(resource?.attributes, ['service.name']);
    const host = textOf(resource?.attributes, ['k8s.node.name', 'host.name', 'host.id']);
    for (const raw of scopeSpans.flatMap(({ spans = [] }) => spans)) {
      if (service === '') assumptions.add(NO_SERVICE);
      const made = spanOf(raw, service === '' ? 'unknown' : service, host);
      if (into.has(keyOf(made))) assumptions.add(TWICE);
      else into.set(keyOf(made), made);
    }
  }
}

const NO_PARENT = /^0*$/;

function spanOf(raw: Raw, service: string, host: string): Span {
  const { traceId, spanId, parentSpanId = '', name = '' } = raw;
  const code = raw.status?.code;
  return {
    traceId,
    spanId,
    parentId: NO_PARENT.test(parentSpanId) ? '' : parentSpanId,
    name,
    kind: KINDS[raw.kind ?? 0] ?? 'Internal',
    startMs: Number(raw.startTimeUnixNano) / 1e6,
    endMs: Number(raw.endTimeUnixNano) / 1e6,
    failed: code === 2 || code === 'STATUS_CODE_ERROR',
    service,
    host,
    requestBytes: numberOf(raw.attributes, REQUEST_BYTES),
    responseBytes: numberOf(raw.attributes, RESPONSE_BYTES),
    weight: weightOf(raw.traceState ?? ''),
    links: raw.links ?? [],
  };
}

/** Names of today's semantic conventions first, then older ones. */
const REQUEST_BYTES = [
  'http.request.body.size',
  'http.request_content_length',
  'messaging.message.body.size',
];
const RESPONSE_BYTES = ['http.response.body.size', 'http.response_content_length'];

const valueOf = (list: Attributes, key: string): unknown => {
  const found = list?.find((a) => a.key === key)?.value;
  return found && Object.values(found)[0];
};

function textOf(list: Attributes, keys: readonly string[]): string {
  const found = keys.map((key) => valueOf(list, key)).find((v) => typeof v === 'string' && v !== '');
  return typeof found === 'string' ? found : '';
}

function numberOf(list: Attributes, keys: readonly string[]): number | undefined {
  const numbers = keys.map((key) => valueOf(list, key)).filter((v) => v !== undefined && v !== '');
  return numbers.map(Number).find((n) => Number.isFinite(n) && n >= 0);
}

/** Fourteen hexadecimal digits: the threshold below which a trace is not kept. */
const DIGITS = 14;

/** How many traces stand behind one that was kept with a probability (`ot=th:…`, OpenTelemetry's probability sampling). */
function weightOf(traceState: string): number {
  const digits = /(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,]|\s*$)/.exec(traceState)?.[1];
  if (digits === undefined) return 1;
  const kept = 1 - Number.parseInt(digits.padEnd(DIGITS, '0'), 16) / 16 ** DIGITS;
  return kept > 0 ? 1 / kept : 1;
}
