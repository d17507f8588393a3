/**
 * Logs: one JSON object a line, on standard output.
 *
 * Owns: the form of a line (time, level, message, and who it is about). Neighbour: whoever logs decides what is worth a line;
 * a controller's lines carry `controller`, `namespace`, `name` and `reconcileID`.
 */
import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';

export type { Logger };

/** `to`: for tests. */
export const newLogger = (level: string, to?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      // An error in a field named `err` comes out with its type, message, stack and cause.
    },
    ...(to ? [to] : []),
  );

/** What went wrong, in one line, its causes included. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause === undefined ? error.message : `${error.message}: ${errorText(cause)}`;
}
