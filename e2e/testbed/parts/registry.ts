/**
 * A registry for what is pulled by digest, over plain HTTP, started when a test asks for it. Images of pods never come
 * from it: `images/load.ts` gives them to the machines.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../command.ts';
import { NETWORK, STATE_PLACES } from '../places.ts';
import { endProcess, ensureProcess, forgetProcess, knownProcess } from './processes.ts';

const listen = `${NETWORK.host}:${String(NETWORK.registryPort)}`;
/** As pods name it; this machine says `http://198.18.0.1:5000`. */
export const REGISTRY = `${NETWORK.registryName}:${String(NETWORK.registryPort)}`;
export const REGISTRY_URL = `http://${listen}`;

/** containerd of every machine speaks HTTP to it. */
export async function writeRegistryHosts(): Promise<void> {
  for (const name of [REGISTRY, listen]) {
    const folder = join(STATE_PLACES.config, 'certs.d', name);
    await mkdir(folder, { recursive: true });
    const host = `[host."${REGISTRY_URL}"]\n  capabilities = ["pull", "resolve"]\n`;
    await writeFile(join(folder, 'hosts.toml'), `server = "${REGISTRY_URL}"\n${host}`);
  }
}

export async function startRegistry(): Promise<void> {
  await mkdir(STATE_PLACES.registry, { recursive: true });
  const config = join(STATE_PLACES.config, 'registry.json');
  const storage = { filesystem: { rootdirectory: STATE_PLACES.registry }, delete: { enabled: true } };
  await writeFile(config, JSON.stringify({ version: 0.1, storage, http: { addr: listen } }));
  await ensureProcess({ name: 'registry', command: ['docker-registry', 'serve', config] });
  await until(
    'the registry answers',
    async () => (await fetch(`${REGISTRY_URL}/v2/`).catch(() => undefined))?.ok === true,
  );
}

export async function stopRegistry(): Promise<void> {
  const started = await knownProcess('registry');
  if (!started) return;
  await endProcess(started);
  await forgetProcess(started.name);
}
