/** Where a call goes in: a gateway, the way through it, and what is said when that leads nowhere. */
export interface Entry {
  readonly url: string;
  readonly method: string;
  readonly path: string;
  /** What opens it. */
  readonly headers: Readonly<Record<string, string>>;
  /** `the gateway of … is lost`. */
  readonly lost: string;
  /** What to do then, from `; ` on; empty where there is nothing. */
  readonly remedy: string;
  /** Added to what a gateway says that knows no such path; empty where nothing is to be added. */
  readonly closed: string;
}

export interface FunctionName {
  readonly namespace: string;
  readonly workflow: string;
  readonly fn: string;
}

/** The path at which every gateway has a function that is exposed. */
export const callPath = ({ namespace, workflow, fn }: FunctionName): string =>
  `/call/${[namespace, workflow, fn].map(encodeURIComponent).join('/')}`;
