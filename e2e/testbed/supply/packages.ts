/**
 * What the testbed takes from Debian: container runtime, etcd, emulator, network tools.
 *
 * Invariant: nothing is installed where every command is there already, so that neither root nor a network is needed then.
 */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../command.ts';
import { step } from '../progress.ts';

/** Package by a file that only it brings. */
const PACKAGES: Readonly<Record<string, string>> = {
  '/usr/bin/containerd': 'containerd',
  '/usr/sbin/runc': 'runc',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  '/usr/bin/etcd': 'etcd-server',
  '/usr/sbin/iptables': 'iptables',
  '/usr/sbin/conntrack': 'conntrack',
  '/usr/sbin/ip': 'iproute2',
  '/usr/bin/nsenter': 'util-linux',
  '/usr/bin/openssl': 'openssl',
  '/usr/bin/qemu-aarch64-static': 'qemu-user-static',
  '/usr/bin/mmdebstrap': 'mmdebstrap',
  '/usr/share/keyrings/debian-archive-keyring.gpg': 'debian-archive-keyring',
  '/usr/bin/docker-registry': 'docker-registry',
};

const INSTALL_LIMIT_MS = 600_000;
const FOLDERS_OF_GO = ['/usr/local/go/bin', '/usr/lib/go/bin'];

/** Why there can be no testbed on this machine; undefined when there can be one. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux')
    return `the testbed needs Linux, this is ${process.platform}; tests can run against any cluster: set KUBECONFIG`;
  if (process.arch !== 'x64')
    return `the testbed is made for an amd64 machine, this is ${process.arch}; set KUBECONFIG to use another cluster`;
  if (process.getuid?.() !== 0)
    return 'the testbed makes network namespaces, mounts and cgroups, for which it has to be root: run it with sudo -E';
  return undefined;
}

/** Rejects with what is missing and how to get it. */
export async function installPackages(): Promise<void> {
  const missing: string[] = [];
  for (const [file, name] of Object.entries(PACKAGES)) if (!(await exists(file))) missing.push(name);
  if (missing.length === 0) return;
  if (!(await exists('/usr/bin/apt-get')))
    throw new Error(
      `the testbed needs the Debian packages ${missing.join(', ')}, and there is no apt-get here: ` +
        'install what corresponds to them, or set KUBECONFIG to use another cluster',
    );
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await step(`packages: ${missing.join(', ')}`, async () => {
    await run(['apt-get', 'update', '-qq'], { env, limitMs: INSTALL_LIMIT_MS });
    const install = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...missing];
    await run(install, { env, limitMs: INSTALL_LIMIT_MS });
  });
}

/** The Go command. Rejects with how to get one. */
export async function goCommand(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  for (const folder of [...(env['PATH'] ?? '').split(':'), ...FOLDERS_OF_GO])
    if (folder !== '' && (await exists(join(folder, 'go')))) return join(folder, 'go');
  throw new Error('the testbed builds Kubernetes and needs Go 1.26 or newer on PATH: see https://go.dev/dl');
}

export async function exists(path: string): Promise<boolean> {
  return await access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
