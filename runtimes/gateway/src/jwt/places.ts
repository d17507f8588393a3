/**
 * Which places on the network are asked for an issuer's keys: the URL is a tenant's word, the one who asks is the gateway
 * (decision 0011).
 *
 * Owns: the judgement of a URL before it is asked, and of every address that its host stands for at the moment of
 * connecting, so that a name cannot pass the one and change before the other. `fetch.ts` asks.
 * Invariants:
 *  1. Only https, with a certificate that verifies. Plain http to this machine's own loopback only, where `loopback` says so.
 *  2. Never an address of this machine (unless `loopback`), of the link, of a group of machines, or of nothing.
 */
import { lookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';

/** What whoever runs the gateway allows. */
export interface IssuerSettings {
  /** Hosts that may be asked; `*.example.org` is any name below it. Absent: every host. */
  readonly hosts?: readonly string[];
  /** Issuers on this machine, there over plain http too: for laptops and tests. */
  readonly loopback?: boolean;
  /** Certificates (PEM) of authorities that are trusted beside the usual ones. */
  readonly ca?: string;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** What no issuer can have: this network, the link (and the clouds' metadata on it), groups, what is reserved. */
const NOWHERE = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  NOWHERE.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [
  ['::', 128],
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::254', 128],
] as const)
  NOWHERE.addSubnet(net, prefix, 'ipv6');

/** Is the host one that whoever runs this machine has at hand: `localhost`, or an address of the loopback? */
export function isLoopback(host: string): boolean {
  const name = bare(host);
  return name === 'localhost' || name.endsWith('.localhost') || isIn(LOOPBACK, name);
}

/** Why a URL is not asked; undefined: it may be. */
export function urlRefusal(url: URL, settings: IssuerSettings): string | undefined {
  const local = settings.loopback === true && isLoopback(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local)) return 'only https is asked';
  if (url.username !== '' || url.password !== '') return 'a URL with a user name or password is not asked';
  if (settings.hosts && !settings.hosts.some((pattern) => matches(pattern, url.hostname)))
    return `host ${url.hostname} is not among the hosts that this gateway may ask`;
  return isIP(bare(url.hostname)) === 0 ? undefined : addressRefusal(bare(url.hostname), url, settings);
}

function addressRefusal(address: string, url: URL, settings: IssuerSettings): string | undefined {
  if (isIn(NOWHERE, address)) return `address ${address} is none of an issuer`;
  const loopback = isIn(LOOPBACK, address);
  if (loopback && settings.loopback !== true) return `address ${address} is the gateway's own machine`;
  // A name like `localhost` could stand for anything; what is sent in the clear stays on the machine.
  return url.protocol === 'http:' && !loopback ? `address ${address} is not asked over http` : undefined;
}

type Answer = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** Looks a host up as sockets do it, and keeps only what may be asked. Fails where nothing is left. */
export const guardedLookup =
  (url: URL, settings: IssuerSettings) =>
  (host: string, options: LookupOptions, answer: Answer): void => {
    lookup(host, { ...options, all: true }, (error, found) => {
      const allowed = error
        ? []
        : found.filter((a) => addressRefusal(a.address, url, settings) === undefined);
      const [first] = allowed;
      if (error) answer(error, []);
      else if (!first) answer(new Error(`${host} has no address that may be asked`), []);
      else if (options.all === true) answer(null, allowed);
      else answer(null, first.address, first.family);
    });
  };

const matches = (pattern: string, host: string): boolean => {
  const wanted = pattern.toLowerCase();
  return wanted.startsWith('*.') ? host.endsWith(wanted.slice(1)) : host === wanted;
};

/** An address of IPv6 without the brackets that it has in a URL. */
const bare = (host: string): string => host.replace(/^\[|\]$/g, '');

function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
