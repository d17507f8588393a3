/**
 * What a bus allows, as it is found: version, JetStream and its domain, longest control line, largest message (D11).
 *
 * Owns: the questions, and the sentences for users. Asked when the operator's connection comes up; a bus of the chart passes
 * by its settings, one of the user's own may not.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { HUB_DOMAIN } from '@sinter/contract';
import type { BusFinding } from './cluster.ts';
import { OLDEST_VERSION, isTooOld } from './version.ts';

/** What a credential with hundreds of subjects needs; the chart's servers have it. */
export const CONTROL_LINE_BYTES = 262_144;
/** The contract's largest payload with its headers. */
export const PAYLOAD_BYTES = 1_048_576;

/** About so many bytes of a control line go to one subject of a credential: its length, and the token's base64. */
const BYTES_PER_SUBJECT = 90;
const ASK_MS = 5000;

/** Connects once with a name of so many characters, which travels on a control line; rejects where the server refuses. */
export type ConnectNamed = (name: string) => Promise<NatsConnection>;

export async function probeBus(
  nc: NatsConnection,
  connectNamed: ConnectNamed,
): Promise<readonly BusFinding[]> {
  return [
    ...versionFindings(nc.info?.version ?? ''),
    ...payloadFindings(nc.info?.max_payload ?? 0),
    ...(await jetstreamFindings(nc)),
    ...(await controlLineFindings(connectNamed)),
  ];
}

export const versionFindings = (version: string): readonly BusFinding[] =>
  isTooOld(version)
    ? [
        error(
          'NatsTooOld',
          `the NATS server has version ${version}; Sinter needs ${OLDEST_VERSION} or newer: upgrade it`,
        ),
      ]
    : [];

export const payloadFindings = (bytes: number): readonly BusFinding[] =>
  bytes < PAYLOAD_BYTES
    ? [
        warning(
          'BusPayloadTooSmall',
          `the NATS server takes messages of at most ${String(bytes)} bytes; Sinter's own have up to ` +
            `${String(PAYLOAD_BYTES)}: set max_payload, or keep payloads smaller`,
        ),
      ]
    : [];

async function jetstreamFindings(nc: NatsConnection): Promise<readonly BusFinding[]> {
  if (await answers(nc, `$JS.${HUB_DOMAIN}.API.INFO`)) return [];
  if (await answers(nc, '$JS.API.INFO'))
    return [
      error(
        'JetStreamDomainMissing',
        `JetStream answers, but not as domain '${HUB_DOMAIN}': set 'domain: ${HUB_DOMAIN}' in the server's jetstream ` +
          `block, or map '$JS.${HUB_DOMAIN}.API.>' in the account, see docs/guides/nats.md`,
      ),
    ];
  return [
    error(
      'JetStreamMissing',
      'JetStream does not answer in the account of the operator: enable it on the server and for the account',
    ),
  ];
}

/** Where JetStream is not for this account, the server may say so in an answer. */
async function answers(nc: NatsConnection, subject: string): Promise<boolean> {
  try {
    const answer = await nc.request(subject, '', { timeout: ASK_MS });
    return !('error' in answer.json<object>());
  } catch {
    return false; // nobody is there, or nobody may ask
  }
}

/** Tried from the longest: a server says so only by refusing. */
async function controlLineFindings(connectNamed: ConnectNamed): Promise<readonly BusFinding[]> {
  for (const bytes of [CONTROL_LINE_BYTES, 65_536, 32_768, 16_384, 8192, 4096])
    if (await takes(connectNamed, bytes)) return bytes === CONTROL_LINE_BYTES ? [] : [tooShort(bytes)];
  return [tooShort(2048)];
}

const tooShort = (bytes: number): BusFinding =>
  warning(
    'BusControlLineTooSmall',
    `the NATS server takes control lines of about ${String(bytes)} bytes: a unit whose credential names more than about ` +
      `${String(Math.floor(bytes / BYTES_PER_SUBJECT))} subjects cannot connect; set max_control_line: ` +
      `${String(CONTROL_LINE_BYTES)} on every server and leaf`,
  );

/** The rest of the line (token, options) has room in what is left of it. */
const REST_BYTES = 2048;

async function takes(connectNamed: ConnectNamed, bytes: number): Promise<boolean> {
  try {
    const nc = await connectNamed('x'.repeat(bytes - REST_BYTES));
    await nc.close();
    return true;
  } catch {
    return false;
  }
}

const error = (reason: BusFinding['reason'], message: string): BusFinding => ({
  reason,
  severity: 'Error',
  message,
});
const warning = (reason: BusFinding['reason'], message: string): BusFinding => ({
  reason,
  severity: 'Warning',
  message,
});
