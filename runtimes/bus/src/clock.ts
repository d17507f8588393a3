/** Time as an argument (D13): milliseconds that only ever grow, so that a jump of the wall clock changes nothing. */
export interface Clock {
  /** Milliseconds since some fixed moment. */
  now(): number;
}
