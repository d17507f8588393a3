// Run by `helm test`: is the gateway healthy and ready, and does the bus greet as Sinter's hub must?
import { connect } from 'node:net';

const GREETING_MS = 10_000;

async function gateway(url) {
  for (const path of ['/-/healthz', '/-/readyz']) {
    const answer = await fetch(url + path, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`${url}${path} answers ${answer.status}: ${await answer.text()}`);
    console.log(`${url}${path} answers ${answer.status}`);
  }
}

// A NATS server speaks first, before TLS: `INFO {…}`.
function greeting(host, port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let text = '';
    socket.setTimeout(GREETING_MS, () => socket.destroy(new Error(`${host}:${port} is silent`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${host}:${port} closed the connection without a greeting`)));
    socket.on('data', (bytes) => {
      text += bytes;
      const line = /^INFO (\{.*\})\s*\r\n/.exec(text)?.[1];
      if (!line) return;
      resolve(JSON.parse(line));
      socket.destroy();
    });
  });
}

async function bus(address, tls) {
  const { hostname, port } = new URL(address);
  const info = await greeting(hostname, Number(port || 4222));
  const wrong = [
    info.auth_required || 'it lets in who has no credential',
    info.jetstream || 'it stores nothing',
    !tls || info.tls_required || 'it does not ask for TLS',
    info.max_payload >= 1_048_576 || `it takes no more than ${info.max_payload} bytes in a message`,
  ].filter((outcome) => typeof outcome === 'string');
  if (wrong.length > 0) throw new Error(`${address}: ${wrong.join('; ')}`);
  console.log(`${address} is NATS ${info.version}, ${info.server_name}`);
}

const { GATEWAY_URL, NATS_URLS, NATS_TLS } = process.env;
if (GATEWAY_URL) await gateway(GATEWAY_URL);
for (const address of NATS_URLS.split(',')) await bus(address, NATS_TLS === 'true');
