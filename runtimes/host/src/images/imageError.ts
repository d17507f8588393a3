/**
 * Why a module could not be had from an image: what its author reads in a condition.
 *
 * Invariant: a message names the image, what was found and what to do; it never holds a credential.
 */

export type ImageProblem =
  /** The registry knows no such image, or no such part of it. */
  | 'ImageNotFound'
  | 'Unauthorized'
  | 'PathNotInImage'
  /** An index without an image for this machine. */
  | 'PlatformNotInImage'
  | 'RegistryUnreachable'
  /** What came is not what the digest names. */
  | 'DigestMismatch'
  | 'TooLarge'
  /** A reference, a manifest or a layer of a form that is not understood. */
  | 'ImageNotUnderstood';

export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly problem: ImageProblem;
  /** Another attempt may succeed. */
  readonly passing: boolean;

  constructor(problem: ImageProblem, detail: string, more: { passing?: boolean; cause?: unknown } = {}) {
    super(detail, more.cause === undefined ? undefined : { cause: more.cause });
    this.problem = problem;
    this.passing = more.passing ?? false;
  }
}

/** The end of a pull, with the image and the path that it was for. */
export const explained = (error: ImageError, reference: string, path: string): ImageError =>
  new ImageError(
    error.problem,
    `${error.problem}: module ${path} of image ${reference}: ${error.message}`,
    error,
  );
