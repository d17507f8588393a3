/**
 * How the tool ends: one code for each class of outcome, so that scripts can tell them apart.
 *
 *   0  done
 *   1  what was given is wrong, or something that is needed is missing: the message says what to do
 *   2  usage: an unknown command or option, a missing argument
 *   3  a call failed with a code
 *   4  no run was found, or several where one is needed
 *   5  a defect of the tool itself
 *   6  `plan --exit-code`: something would change
 *   128 + n  ended by signal n before it was done
 */
export const EXIT = {
  done: 0,
  refused: 1,
  usage: 2,
  callFailed: 3,
  noRun: 4,
  defect: 5,
  changed: 6,
} as const;

export type ExitCode = number;

/** Something that a user can mend; `message` says how. Its stack is of no interest. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** A signal came before the command was done: it ends with its code, and nothing is said. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}
