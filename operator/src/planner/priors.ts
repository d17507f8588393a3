/** What the cost model takes for what was not measured, and what a process and a thread cost; each with its source. */

export const MB = 1e6;

/**
 * What a call takes beyond the run of its callee while nothing was measured, in milliseconds. In the process: a worker
 * thread's message and back (67 µs). By the bus of the machine: 0.35 ms. By the hub: a network besides. Queue: until the
 * hub has it on disk. (Measured on nats-server 2.15 with Node 24.)
 */
export const PRIOR_OVERHEAD_MS = { InProcess: 0.067, Node: 0.35, Remote: 1, Queue: 1 } as const;
/** Encoding, copying and decoding a megabyte, in milliseconds: once to a thread, twice over the bus. */
export const PRIOR_PER_MB_MS = { InProcess: 1, Node: 8, Remote: 12, Queue: 12 } as const;
/** Memory that a process has for itself and runs nothing, and that of a thread in it (Node 24). */
export const PROCESS_BYTES = 30 * MB;
export const WORKER_BYTES = 10 * MB;
/** What a unit's pod reserves for its host, beside what is reserved for its functions. */
export const HOST_RESERVED_BYTES = 64 * 2 ** 20;
/** What a function adds to its thread where nobody has seen it. */
export const PRIOR_FUNCTION_BYTES = 5 * MB;
/** As long as a unit's pod takes from its creation to its first answer, where nothing was measured. */
export const PRIOR_COLD_MS = 250;

/**
 * CPU of a host beside that of its functions, while nothing was measured: milliseconds for a call that comes in by the bus, one
 * that goes out by it (or is sent), and one that stays inside, and cores of a process that has nothing to do. (Measured with ten
 * functions at five root calls a second, in five groupings; at high rates each is about a fifth.)
 */
export const PRIOR_HOST = { servedMs: 1.5, askedMs: 0.5, insideMs: 0.2, processCores: 0.004 } as const;
