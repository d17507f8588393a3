import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { describe, it } from 'node:test';
import { guardedLookup, isLoopback, urlRefusal } from './places.ts';
import type { IssuerSettings } from './places.ts';

const LAPTOP: IssuerSettings = { loopback: true };
const LISTED: IssuerSettings = { hosts: ['id.example', '*.Login.Example'] };

/** settings, URL, and what is said against it; undefined: nothing. */
const ROWS: Readonly<Record<string, readonly [IssuerSettings, string, RegExp | undefined]>> = {
  'https is asked': [{}, 'https://id.example/realms/a', undefined],
  'https on another port is asked': [{}, 'https://id.example:8443', undefined],
  'https at a private address is asked': [{}, 'https://10.0.0.7/', undefined],
  'http is not': [{}, 'http://id.example', /only https/],
  'http at a private address is not': [LAPTOP, 'http://192.168.1.4', /only https/],
  'another scheme is not': [{}, 'ftp://id.example', /only https/],
  'http on this machine is not, in a cluster': [{}, 'http://localhost:8080', /only https/],
  'https on this machine is not either': [{}, 'https://127.0.0.1', /own machine/],
  'nor by another spelling': [{}, 'https://0x7f.1', /own machine/],
  'nor by IPv6': [{}, 'https://[::1]', /own machine/],
  'nor mapped into IPv6': [{}, 'https://[::ffff:127.0.0.1]', /own machine/],
  'on a laptop it is': [LAPTOP, 'http://127.0.0.1:8080', undefined],
  'on a laptop it is, by name': [LAPTOP, 'http://localhost:8080', undefined],
  'on a laptop it is, by IPv6': [LAPTOP, 'http://[::1]:8080', undefined],
  'the metadata of a cloud is not': [{}, 'https://169.254.169.254/latest', /none of an issuer/],
  'nor by IPv6 of the link': [{}, 'https://[fe80::1]', /none of an issuer/],
  'nor mapped': [{}, 'https://[::ffff:169.254.169.254]', /none of an issuer/],
  'nor of a cloud with IPv6': [{}, 'https://[fd00:ec2::254]', /none of an issuer/],
  'no address at all is not': [LAPTOP, 'https://0.0.0.0', /none of an issuer/],
  'nor in IPv6': [LAPTOP, 'https://[::]', /none of an issuer/],
  'a group of machines is not': [{}, 'https://224.0.0.1', /none of an issuer/],
  'credentials in the URL are not sent': [{}, 'https://u:p@id.example', /user name or password/],
  'a listed host is asked': [LISTED, 'https://ID.example', undefined],
  'a host below a listed one is asked': [LISTED, 'https://eu.login.example', undefined],
  'the name itself is not below it': [LISTED, 'https://login.example', /not among the hosts/],
  'a host that only ends alike is not': [LISTED, 'https://evil-id.example', /not among the hosts/],
  'a listed host before another is not': [LISTED, 'https://id.example.evil', /not among the hosts/],
};

describe('a URL', () => {
  for (const [sentence, [settings, url, says]] of Object.entries(ROWS))
    it(sentence, () => {
      const refusal = urlRefusal(new URL(url), settings);
      if (says) assert.match(refusal ?? 'nothing is said', says);
      else assert.equal(refusal, undefined);
    });
});

describe('the addresses of a name', () => {
  const lookUp = (url: string, settings: IssuerSettings, all = true): Promise<unknown> =>
    new Promise((resolve) => {
      guardedLookup(new URL(url), settings)(new URL(url).hostname, { all }, (error, found) => {
        resolve(error ? error.message : found);
      });
    });

  it('of this machine are kept out, whatever the name', async () => {
    assert.match(String(await lookUp('https://localhost', {})), /no address that may be asked/);
  });

  it('are given to who may have them, as sockets ask for them', async () => {
    const all = (await lookUp('http://localhost', LAPTOP)) as LookupAddress[];
    assert.ok(all.length > 0 && all.every((a) => isLoopback(a.address)));
    assert.ok(isLoopback(String(await lookUp('http://localhost', LAPTOP, false))));
  });

  it('that nobody has are an error', async () => {
    assert.match(String(await lookUp('https://nobody.invalid', {})), /ENOTFOUND|EAI_AGAIN/);
  });
});

it('names of this machine are told from others', () => {
  const yes = ['localhost', 'a.localhost', '127.0.0.1', '127.9.9.9', '::1', '[::1]'];
  const no = ['0.0.0.0', '::', '10.0.0.1', 'localhost.example', 'example'];
  assert.deepEqual(yes.filter(isLoopback), yes);
  assert.deepEqual(no.filter(isLoopback), []);
});
