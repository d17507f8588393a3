/**
 * A module that is a file of an OCI image: what of its reference counts, and whether a unit can pull it.
 *
 * Owns: the form of a reference, `<registry>/<repository>[:<tag>]@sha256:<digest>`. Nothing is asked here (D18): whether the
 * image is there the unit says, which pulls it.
 */
import type { Artifact } from './nouns.ts';

/** Where a module lies in an image. */
export interface ImageModule {
  /** Without a tag: beside a digest it is for people only. */
  readonly reference: string;
  readonly path: string;
}

export interface ReferenceProblem {
  readonly reason: string;
  /** Goes on from "<field>: '<given>' ". */
  readonly says: string;
}

const SHAPE =
  /^(?<registry>[A-Za-z0-9.-]+(?::\d{1,5})?)\/(?<repository>[a-z0-9._/-]+)(?::[\w.-]{1,128})?@(?<digest>sha256:[0-9a-f]{64})$/;

/** Undefined where the artifact has no image, or one that cannot be pulled. */
export function imageModuleOf({ module }: Artifact): ImageModule | undefined {
  if (!module?.image || referenceProblem(module.image.reference)) return undefined;
  const { reference, path } = module.image;
  const { registry = '', repository = '', digest = '' } = SHAPE.exec(reference)?.groups ?? {};
  return { reference: `${registry}/${repository}@${digest}`, path };
}

/** The host of a reference's registry, with its port where it has one. */
export const registryOf = ({ reference }: ImageModule): string => reference.split('/', 1)[0] ?? '';

export function referenceProblem(reference: string): ReferenceProblem | undefined {
  if (!reference.includes('@'))
    return {
      reason: 'ImageWithoutDigest',
      says:
        'names its image by a tag, and what a tag stands for changes under a running unit; write the digest, ' +
        'like registry.example/name@sha256:… (it is printed by the push, and by `docker images --digests`)',
    };
  const registry = reference.split('/', 1)[0] ?? '';
  if (registry === reference || !(/[.:]/.test(registry) || registry === 'localhost'))
    return {
      reason: 'ImageWithoutRegistry',
      says: 'does not begin with the host of a registry, and none is meant by default; write it, like registry.example/name@sha256:…',
    };
  const repository = SHAPE.exec(reference)?.groups?.['repository'];
  if (repository !== undefined && !repository.split('/').some((part) => /^\.*$/.test(part))) return undefined;
  return {
    reason: 'ImageNotValid',
    says: 'is no reference of an image; write it like registry.example/name@sha256:…, with the name in lower case',
  };
}
