/**
 * Services as they run in many places: processes that call each other over HTTP, with spans and nothing of Sinter in them. They
 * are called a while, and their spans come out as OTLP/JSON, one export a line, as the file exporter of the OpenTelemetry
 * collector writes them:
 *
 *     node examples/observed/services.mjs --calls 200 --way-ms 2 > spans.jsonl
 *     sinter observe spans.jsonl
 *
 *   shop GET /checkout ─┬─▶ cart GET /cart/{id} ─▶ (a database)
 *                       ├─▶ price GET /price, three at once ─▶ currency GET /rate
 *                       ├─▶ payment POST /pay ─▶ (a bank)
 *                       └┄▶ mail, through a queue
 *
 * Spans follow the semantic conventions of OpenTelemetry, and the trace is carried by the header `traceparent` of W3C Trace
 * Context. `--way-ms`: what each request waits on its way, as on a network.
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const ROLES = ['currency', 'price', 'cart', 'payment', 'mail', 'shop'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    calls: { type: 'string', default: '100' },
    'way-ms': { type: 'string', default: '1' },
  },
});
if (positionals[0] === undefined) await conduct(Number(values.calls), Number(values['way-ms']));
else serve(positionals[0]);

// ---- spans

const nanoseconds = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
const id = (bytes) => randomBytes(bytes).toString('hex');
const kept = [];

/** A span under `parent` (a traceparent, or undefined); `end` may be called once. */
function begin(name, kind, parent, attributes = {}) {
  const [, traceId = id(16), parentSpanId = ''] = /^00-(\w{32})-(\w{16})-\w\w$/.exec(parent ?? '') ?? [];
  const span = { traceId, spanId: id(8), parentSpanId, name, kind, startTimeUnixNano: String(nanoseconds()) };
  return {
    traceparent: `00-${traceId}-${span.spanId}-01`,
    end(more = {}, links = []) {
      const all = { ...attributes, ...more };
      const list = Object.entries(all).map(([key, value]) => ({
        key,
        value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
      }));
      kept.push({ ...span, endTimeUnixNano: String(nanoseconds()), attributes: list, links, status: {} });
    },
  };
}

function exported(service) {
  const attributes = [
    { key: 'service.name', value: { stringValue: service } },
    { key: 'host.name', value: { stringValue: hostname() } },
    { key: 'service.instance.id', value: { stringValue: String(process.pid) } },
  ];
  const scopeSpans = [{ scope: { name: 'services' }, spans: kept.splice(0) }];
  return JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans }] });
}

// ---- one service

/** Runs for about so long, on the CPU. */
function burn(ms) {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function serve(role) {
  const wayMs = Number(process.env.WAY_MS);
  const ports = new Map();
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const path = new URL(incoming.url ?? '/', 'http://localhost').pathname;
    if (path === '/queue') return takeMessage(JSON.parse(body.toString()), outgoing);
    const route = path.replace(/\/\d+$/, '/{id}');
    const span = begin(`${incoming.method} ${route}`, KIND.server, incoming.headers.traceparent, {
      'http.request.body.size': body.length,
    });
    const answer = JSON.stringify(await HANDLERS[role](path, span.traceparent));
    span.end({ 'http.response.status_code': 200, 'http.response.body.size': answer.length });
    outgoing.end(answer);
  });

  /** What another service answers; the way is part of the client span, and not of the server span. */
  const call = async (to, method, path, traceparent, body = '') => {
    const span = begin(method, KIND.client, traceparent, {
      'server.address': to,
      'http.request.body.size': body.length,
    });
    await sleep(wayMs);
    const sent = request({ port: ports.get(to), method, path, headers: { traceparent: span.traceparent } });
    sent.end(body);
    const [answer] = await once(sent, 'response');
    const chunks = [];
    for await (const chunk of answer) chunks.push(chunk);
    span.end({ 'http.response.body.size': Buffer.concat(chunks).length });
    return JSON.parse(Buffer.concat(chunks).toString() || 'null');
  };

  /** Something without spans of its own. */
  const outside = async (name, ms, traceparent) => {
    const span = begin(name, KIND.client, traceparent, { 'db.system.name': 'postgresql' });
    await sleep(ms);
    span.end();
  };

  const send = async (to, traceparent, message) => {
    const span = begin(`send ${to}`, KIND.producer, traceparent, { 'messaging.system': 'queue' });
    const sent = request({ port: ports.get(to), method: 'POST', path: '/queue' });
    sent.end(JSON.stringify({ traceparent: span.traceparent, message }));
    const [answer] = await once(sent, 'response');
    answer.resume();
    span.end();
  };

  /** Accepted at once; it is worked on later, in a trace of its own that links to the one that sent it. */
  function takeMessage({ traceparent }, outgoing) {
    outgoing.end();
    setTimeout(() => {
      const span = begin('process mail', KIND.consumer, undefined, { 'messaging.system': 'queue' });
      burn(1);
      const [, traceId, spanId] = traceparent.split('-');
      span.end({}, [{ traceId, spanId }]);
    }, 5);
  }

  const HANDLERS = {
    currency: () => ({ rate: 1.1 }),
    price: async (_, at) => {
      burn(0.5);
      return { price: 3 * (await call('currency', 'GET', '/rate', at)).rate };
    },
    cart: async (_, at) => {
      await outside('SELECT cart', 3, at);
      return { items: [1, 2, 3] };
    },
    payment: async (_, at) => {
      burn(1);
      await outside('POST bank', 6, at);
      return { paid: true };
    },
    shop: async (_, at) => {
      const { items } = await call('cart', 'GET', '/cart/17', at);
      const prices = await Promise.all(items.map(() => call('price', 'GET', '/price', at)));
      burn(1);
      await call('payment', 'POST', '/pay', at, JSON.stringify(prices));
      await send('mail', at, 'thank you');
      return { ok: true };
    },
  };

  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
  process.on('message', ({ peers, flush }) => {
    for (const [name, port] of Object.entries(peers ?? {})) ports.set(name, port);
    if (flush) process.send(exported(role), () => process.exit());
  });
  process.on('disconnect', () => process.exit());
}

// ---- all of them

async function conduct(calls, wayMs) {
  const file = fileURLToPath(import.meta.url);
  const env = { ...process.env, WAY_MS: String(wayMs) };
  const children = new Map(ROLES.map((role) => [role, fork(file, [role], { env })]));
  const peers = {};
  for (const [role, child] of children) [peers[role]] = await once(child, 'message');
  for (const child of children.values()) child.send({ peers });
  for (let i = 0; i < calls; i++) {
    const sent = request({ port: peers.shop, path: '/checkout' }).end();
    const [answer] = await once(sent, 'response');
    await once(answer.resume(), 'end');
    await sleep(5);
  }
  await sleep(200);
  for (const child of children.values()) {
    const flushed = once(child, 'message');
    child.send({ flush: true });
    const [line] = await flushed;
    process.stdout.write(`${line}\n`);
  }
}
