/**
 * Where the worker entries lie: beside this file, as TypeScript when run from source, as bundled JavaScript beside the
 * host's bundle otherwise (host.js, jsWorker.js, wasmWorker.js).
 */
export type WorkerName = 'jsWorker' | 'wasmWorker';

export function workerUrl(name: WorkerName, here: string = import.meta.url): URL {
  return new URL(`./${name}${here.endsWith('.ts') ? '.ts' : '.js'}`, here);
}
