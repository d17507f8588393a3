/**
 * What an API server refuses or does not answer, as something that a user can mend.
 *
 * Owns: the words. What is none of these is a defect, and stays what it is.
 */
import { ApiError, NoAnswer } from '@sinter/operator/kube/errors';
import { API_VERSION } from '@sinter/crds';
import { EXIT, Refusal } from '../exit.ts';

/** `server`: its address, as the kubeconfig has it. */
export function clusterRefusal(cause: unknown, server: string): unknown {
  if (cause instanceof Refusal) return cause;
  if (cause instanceof NoAnswer) return refuse(unreachable(cause, server), cause);
  if (cause instanceof ApiError) return refuse(refused(cause, server), cause);
  return cause;
}

const refuse = (message: string, cause: unknown): Refusal => new Refusal(EXIT.refused, message, { cause });

const unreachable = (cause: NoAnswer, server: string): string =>
  `the API server at ${server} is not reachable (${withoutRequest(cause.message)}); is the cluster up, and is this the ` +
  'right context? kubectl config get-contexts lists them, --context chooses one';

function refused(cause: ApiError, server: string): string {
  const says = withoutRequest(cause.message);
  switch (cause.status) {
    case 401:
      return `the API server at ${server} does not know this user (${says}); log in again, or choose another context with --context`;
    case 403:
      return `this user may not do that (${says}); ask who runs the cluster for the right, or choose another context with --context`;
    case 404:
      return (
        `Sinter is not installed in this cluster: it does not serve ${API_VERSION}. Install the chart (helm install), or ` +
        'choose another context with --context'
      );
    default:
      return `the API server at ${server} answers ${says}; try again`;
  }
}

/** Without `GET /apis/…: 403 Forbidden: ` before what was said; the status stays where nothing was. */
function withoutRequest(message: string): string {
  const said = message.replace(/^[A-Z]+ \/\S*: /, '');
  return said.replace(/^40[13] \w*: (?=.)/, '').trim();
}
