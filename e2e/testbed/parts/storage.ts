/** The default StorageClass and the process behind it. */
import { fileURLToPath } from 'node:url';
import { PROVISIONER, STORAGE_CLASS } from '../volumes/decide.ts';
import { Api } from './api.ts';
import { ensureProcess } from './processes.ts';

const CLASS = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: {
    name: STORAGE_CLASS,
    annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
  },
  provisioner: PROVISIONER,
  volumeBindingMode: 'WaitForFirstConsumer',
  reclaimPolicy: 'Delete',
};

export async function ensureStorage(): Promise<void> {
  const main = fileURLToPath(new URL('../volumes/main.ts', import.meta.url));
  await ensureProcess({ name: 'volumes', command: [process.execPath, main] });
  const api = await Api.as('admin');
  await api.apply(`/apis/storage.k8s.io/v1/storageclasses/${STORAGE_CLASS}`, CLASS);
  api.close();
}
