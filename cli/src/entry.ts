/** Where a call goes in: a gateway, what opens it, and what is said when it does not answer. */
export interface Entry {
  readonly url: string;
  /** Of the workflow. */
  readonly namespace: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `the gateway of … is lost`. */
  readonly lost: string;
  /** What to do then, from `; ` on; empty where there is nothing. */
  readonly remedy: string;
}
