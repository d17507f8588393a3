/**
 * What the testbed changes on this machine outside its own folder and namespaces, and how it is put back.
 *
 * Invariant: what was there before is written down before it is changed, so that `down` puts it back even after a crash.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { attempt, run } from '../command.ts';
import { MACHINES, STATE_PLACES } from '../places.ts';
import { exists } from '../supply/packages.ts';

interface Before {
  readonly sysctls: Readonly<Record<string, string>>;
  /** Was the table of foreign binaries mounted, and the emulator in it? */
  readonly binfmtMounted: boolean;
  readonly emulatorRegistered: boolean;
}

const BINFMT = '/proc/sys/fs/binfmt_misc';
const EMULATOR = `${BINFMT}/qemu-aarch64`;
/** With the flag F: the emulator is opened now and works in every container, whatever that holds. */
const EMULATOR_ENTRY = '/usr/lib/binfmt.d/qemu-aarch64.conf';

const SET: Readonly<Record<string, string>> = { 'net.ipv4.ip_forward': '1' };
/** kubelet sets these itself. */
const SET_BY_KUBELET = [
  'vm.overcommit_memory',
  'vm.panic_on_oom',
  'kernel.panic',
  'kernel.panic_on_oops',
  'kernel.keys.root_maxkeys',
  'kernel.keys.root_maxbytes',
];

const fileOfSysctl = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;

export async function prepareHost(): Promise<void> {
  const before = (await remembered()) ?? (await look());
  await remember(before);
  for (const [name, value] of Object.entries(SET)) await writeFile(fileOfSysctl(name), value);
  if (!MACHINES.some((m) => m.architecture === 'arm64')) return;
  if (!(await exists(`${BINFMT}/register`))) await run(['mount', '-t', 'binfmt_misc', 'none', BINFMT]);
  if (await exists(EMULATOR)) return;
  await remember({ ...before, emulatorRegistered: false });
  await writeFile(`${BINFMT}/register`, (await readFile(EMULATOR_ENTRY, 'utf8')).trim());
}

/** What is in a table that is not mounted shows only when it is: until then the emulator counts as somebody else's. */
async function look(): Promise<Before> {
  const sysctls: Record<string, string> = {};
  for (const name of [...Object.keys(SET), ...SET_BY_KUBELET]) {
    const value = await readFile(fileOfSysctl(name), 'utf8').catch(() => undefined);
    if (value !== undefined) sysctls[name] = value.trim();
  }
  return { sysctls, binfmtMounted: await exists(`${BINFMT}/register`), emulatorRegistered: true };
}

async function remembered(): Promise<Before | undefined> {
  const text = await readFile(STATE_PLACES.host, 'utf8').catch(() => '');
  return text === '' ? undefined : (JSON.parse(text) as Before);
}

async function remember(before: Before): Promise<void> {
  await mkdir(STATE_PLACES.config, { recursive: true });
  await writeFile(`${STATE_PLACES.host}.next`, JSON.stringify(before));
  await rename(`${STATE_PLACES.host}.next`, STATE_PLACES.host);
}

/** Puts back what `prepareHost` and kubelet changed. */
export async function restoreHost(): Promise<void> {
  const before = await remembered();
  if (!before) return;
  for (const [name, value] of Object.entries(before.sysctls)) await writeFile(fileOfSysctl(name), value);
  if (!before.emulatorRegistered && (await exists(EMULATOR))) await writeFile(EMULATOR, '-1');
  if (!before.binfmtMounted) await attempt(['umount', BINFMT]);
}
