/** A version that stands in two places is the same in both. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { FETCHED_VERSION } from '../../operator/src/local/nats/fetch.ts';
import { NATS_IMAGE, SINTER_IMAGE } from './images/catalogue.ts';
import { VERSIONS } from './versions.ts';

const textOf = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

it('Kubernetes and its libraries are those that are built', () => {
  const module = textOf('go/hyperkube/go.mod');
  assert.ok(module.includes(`k8s.io/kubernetes v${VERSIONS.kubernetes}\n`));
  const libraries = [...module.matchAll(/^replace (\S+) => (\S+) (\S+)$/gm)];
  assert.ok(libraries.length > 25, 'every library of its is pinned');
  for (const [, from, to, version] of libraries) {
    assert.equal(from, to);
    assert.equal(version, `v0.${VERSIONS.kubernetes.slice('1.'.length)}`);
  }
});

it('CoreDNS is the one that is built', () => {
  assert.ok(textOf('go/dns/go.mod').includes(`github.com/coredns/coredns v${VERSIONS.coredns}\n`));
});

it('the bus is the one of a laptop', () => {
  assert.equal(VERSIONS.nats, FETCHED_VERSION);
});

it('the chart is given the images that the machines have', () => {
  const values = textOf('values.yaml');
  for (const image of [SINTER_IMAGE, NATS_IMAGE]) {
    const [repository = '', tag = ''] = image.split(/:(?=[^:]*$)/);
    assert.ok(values.includes(`repository: ${repository}\n`), repository);
    assert.ok(values.includes(`tag: ${tag}\n`), tag);
  }
});
