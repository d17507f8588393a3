/**
 * What a host is told about pulling images: pull secrets, and registries that speak plain http.
 *
 * Invariant: after `takePullSettings` no pull secret is left in the environment that it was given.
 */
import { INSECURE_REGISTRIES, pullNumber } from '@sinter/contract';

export interface PullSettings {
  /** Docker configs (JSON) with credentials, in the order of the pull secrets. */
  readonly configs: readonly string[];
  /** Registries that are asked over plain http, as `host:port`. */
  readonly insecure: readonly string[];
}

export function takePullSettings(env: NodeJS.ProcessEnv): PullSettings {
  const configs = new Map<number, string>();
  for (const [variable, value = ''] of Object.entries(env)) {
    const number = pullNumber(variable);
    if (number === undefined) continue;
    configs.set(number, value);
    Reflect.deleteProperty(env, variable);
  }
  const inOrder = [...configs].sort(([a], [b]) => a - b).map(([, config]) => config);
  return { configs: inOrder, insecure: listOf(env[INSECURE_REGISTRIES] ?? '') };
}

const listOf = (text: string): readonly string[] =>
  text
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '');
