/**
 * What a run is asked for beyond what its state file says.
 *
 * Owns: the request, and the words where there is no answer. What a run can be asked is `local/control.ts`' affair.
 */
import type { RunState } from '@sinter/operator/local/run';
import { EXIT, Refusal } from './exit.ts';
import { GatewayClient, GatewayLost } from './gatewayClient.ts';
import type { FoundWorkflow } from './runs.ts';

/** A plan that is wanted may first have to be started. */
const LIMIT_MS = 60_000;

/** The text of a snapshot file of the workflow, as of now. */
export const snapshotOfRun = (found: FoundWorkflow): Promise<string> => ask(found, 'GET', 'snapshots');

/** Has that plan run; the empty hash: the policy decides again. Gives the hash of the plan that runs then. */
export async function pinInRun(found: FoundWorkflow, hash: string): Promise<string> {
  const answer = JSON.parse(await ask(found, 'PUT', 'plans', { hash })) as { readonly hash: string };
  return answer.hash;
}

async function ask(
  { run, workflow }: FoundWorkflow,
  method: string,
  what: string,
  body?: object,
): Promise<string> {
  const client = new GatewayClient(controlOf(run));
  try {
    const answer = await client.send({
      method,
      path: `/${what}/${workflow.namespace}/${workflow.workflow}`,
      headers: { Authorization: `Bearer ${run.gateway.token}` },
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
      timeoutMs: LIMIT_MS,
    });
    const text = Buffer.from(answer.body).toString();
    if (answer.status === 200) return text;
    throw new Refusal(EXIT.refused, (JSON.parse(text) as { readonly message: string }).message);
  } catch (cause) {
    if (!(cause instanceof GatewayLost)) throw cause;
    throw new Refusal(EXIT.noRun, `run ${String(run.pid)} does not answer: ${cause.message}`, { cause });
  } finally {
    client.close();
  }
}

function controlOf({ control, pid }: RunState): string {
  if (control) return control.url;
  const message = `run ${String(pid)} is of an older sinter, which cannot be asked for that; start it anew`;
  throw new Refusal(EXIT.noRun, message);
}
