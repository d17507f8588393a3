/**
 * The name of an image: `<registry host>[:<port>]/<repository>[:<tag>]@sha256:<digest>`.
 *
 * Only the digest counts; a tag beside it is for people. There is no registry that is meant where none is named.
 */
import { ImageError } from './imageError.ts';

export interface Reference {
  /** Host, with a port where one is named. */
  readonly registry: string;
  readonly repository: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
}

const SHAPE =
  /^(?<registry>[A-Za-z0-9.-]+(?::\d{1,5})?)\/(?<repository>[a-z0-9._/-]+)(?::[\w.-]{1,128})?@(?<digest>sha256:[0-9a-f]{64})$/;

export function parseReference(text: string): Reference {
  const { registry = '', repository = '', digest = '' } = SHAPE.exec(text)?.groups ?? {};
  // A first part without dot or port is a folder, by the habit of every tool; `localhost` alone is a host.
  const isHost = /[.:]/.test(registry) || registry === 'localhost';
  if (!isHost || repository.split('/').some((part) => part === '' || /^\.+$/.test(part)))
    throw new ImageError(
      'ImageNotUnderstood',
      'the reference is not of the form registry.example/name@sha256:…, with the host of the registry and a digest',
    );
  return { registry: registry.toLowerCase(), repository, digest };
}
