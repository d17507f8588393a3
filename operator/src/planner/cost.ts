/**
 * The cost model: what a plan's root calls would take, in time, memory and money.
 *
 * Owns: the arithmetic of the design (D10). Neighbours: `figures.ts` has what was measured, `units.ts` what a group of
 * functions is as a unit, `search.ts` looks for the grouping that this model likes best.
 *
 * The model
 *  - A piece of c CPU milliseconds in a unit with s cores takes c · max(1, 1/s), and longer where the unit is busy: with
 *    ρ = executions per second · CPU seconds / cores, asynchronous work included, by 1/(1−ρ) for one core and by the queue of
 *    several servers for more (Sakasegawa 1977). A function has one thread, so the same holds for it alone with one core.
 *    Where units share the cores of one machine without limits of their own, all of them count.
 *    Worked: 10 ms on 72 millicores at ρ = 0.5 take 10 / 0.072 / 0.5 = 278 ms.
 *  - An execution takes its CPU time, its waiting, its calls in turn one after the other, and of those at once the longest;
 *    but calls at once into one unit take no less than their CPU time together on that unit's cores.
 *  - Work that a run has sent into its own unit competes with it: half of what is left of it, at most.
 *  - A call to another unit takes the channel's overhead, and the chance that the unit sleeps times its start.
 *  - Memory: 30 MB a process, or as measured, 10 MB a thread, and what each function was seen to use.
 *  - Money per root call: `Provisioned` pays for what each instance has reserved, busy or idle. `BusyTime` pays for the memory
 *    in use for the share of time in which at least one call runs (1 − e^−load, for calls that come independently; what one run
 *    sends into one unit runs there at once, and the longest of it counts), and for the CPU seconds used.
 *  - Hosts use CPU for calls, more for those by the bus than for those inside (`hostCost.ts`): it counts in ρ and in money. What a
 *    call waits for it is in the channel's overhead.
 * Not in it: garbage collection, the CPU time of the bus's servers, machines that are full, payloads beyond their measured overhead.
 */
import { PROCESS_BYTES } from './priors.ts';
import type { Figures } from './figures.ts';

/** Above this utilisation the formula is no more to be believed; it goes on growing, so that less is still better. */
const RHO_MAX = 0.98;

/**
 * How much longer a CPU-bound piece takes than alone on a whole core: slower by the share, and waiting for others.
 * `load` is in cores.
 */
export function stretch(cores: number, load: number): number {
  return Math.max(1, 1 / cores) * queue(cores, load);
}

/** How much longer it takes for the others that are there: 1 in an idle unit. */
function queue(cores: number, load: number): number {
  const servers = Math.max(1, cores);
  const rho = Math.min(RHO_MAX, load / cores);
  const waiting = rho ** (Math.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - rho));
  return (1 + waiting) * Math.max(1, load / cores / RHO_MAX);
}

/** Money for a byte of memory and for a core, per second. */
export interface Prices {
  readonly model: 'BusyTime' | 'Provisioned';
  readonly perByteSecond: number;
  readonly perCoreSecond: number;
}

const GB = 2 ** 30;

/** The policy's prices. Where everything is free, memory is what is saved. */
export function pricesOf(price: {
  readonly model: Prices['model'];
  readonly gigabyteSecond: string;
  readonly cpuSecond: string;
}): Prices {
  const [memory, cpu] = [Number(price.gigabyteSecond), Number(price.cpuSecond)];
  if (memory === 0 && cpu === 0) return { model: 'Provisioned', perByteSecond: 1 / GB, perCoreSecond: 0 };
  return { model: price.model, perByteSecond: memory / GB, perCoreSecond: cpu };
}

/** What one unit is to the model, whatever else is in the plan. */
export interface UnitFigures {
  /** Of one instance: what it can run on, and what it has reserved. */
  readonly cores: number;
  readonly reservedCores: number;
  readonly reservedBytes: number;
  readonly usedBytes: number;
  /** CPU that its functions and its host use, in cores per instance. */
  readonly load: number;
  readonly instances: number;
  /** Length of a start from nothing, and after how long without a call it ends; 0: it never does. */
  readonly coldMs: number;
  readonly idleSeconds: number;
}

/** What a plan would come to. */
export interface Prediction {
  /** Mean over the root calls of all entries. */
  readonly latencyMs: number;
  /** Of all instances of all units. */
  readonly memoryBytes: number;
  /** Per root call. */
  readonly cost: number;
}

/** What units are to the model, a row each: of the plan under evaluation, or of every group that a search may ask for. */
export class UnitTable {
  /** What the unit makes of a CPU millisecond of one call. */
  readonly stretch: Float64Array;
  /** Of that, what its share of a core alone makes of it. */
  readonly speed: Float64Array;
  /** What it makes of a CPU millisecond of many calls at once, all its cores at work. */
  readonly coreMs: Float64Array;
  /** What work that a run sent into its own unit costs that run, per CPU millisecond. */
  readonly contention: Float64Array;
  readonly pricePerSecond: Float64Array;
  readonly usedBytes: Float64Array;
  readonly instances: Float64Array;
  readonly coldMs: Float64Array;
  readonly idleSeconds: Float64Array;
  /** Cores in use, of all its instances. */
  readonly load: Float64Array;
  readonly #columns: readonly Float64Array[];

  constructor(rows: number) {
    const column = (): Float64Array => new Float64Array(rows);
    this.stretch = column().fill(1);
    this.speed = column().fill(1);
    this.coreMs = column();
    this.contention = column();
    this.pricePerSecond = column();
    this.usedBytes = column();
    this.instances = column().fill(1);
    this.coldMs = column();
    this.idleSeconds = column();
    this.load = column();
    this.#columns = [
      this.stretch,
      this.speed,
      this.coreMs,
      this.contention,
      this.pricePerSecond,
      this.usedBytes,
      this.instances,
      this.coldMs,
      this.idleSeconds,
      this.load,
    ];
  }

  set(row: number, unit: UnitFigures, prices: Prices): void {
    const { cores, load, instances, reservedBytes, usedBytes } = unit;
    const paidBytes = prices.model === 'Provisioned' ? reservedBytes : usedBytes;
    const paidCores = prices.model === 'Provisioned' ? unit.reservedCores : 0;
    this.stretch[row] = stretch(cores, load);
    this.speed[row] = Math.max(1, 1 / cores);
    this.coreMs[row] = queue(cores, load) / cores;
    this.contention[row] = cores <= 1 ? 1 / cores : Math.max(0, 2 - cores);
    this.pricePerSecond[row] = paidBytes * prices.perByteSecond + paidCores * prices.perCoreSecond;
    this.usedBytes[row] = usedBytes;
    this.instances[row] = instances;
    this.coldMs[row] = unit.coldMs;
    this.idleSeconds[row] = unit.idleSeconds;
    this.load[row] = load * instances;
  }

  /** No unit: whatever ran in it would run forever. */
  forbid(row: number): void {
    for (const column of this.#columns) column[row] = Infinity;
  }

  /** Makes each figure of a row the smaller of two. */
  lower(row: number, from: UnitTable, fromRow: number): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const column = this.#columns[i];
      if (column) column[row] = Math.min(column[row] ?? Infinity, from.#columns[i]?.[fromRow] ?? Infinity);
    }
  }

  copy(row: number, from: UnitTable, fromRow: number): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const column = this.#columns[i];
      if (column) column[row] = from.#columns[i]?.[fromRow] ?? 0;
    }
  }
}

/** What root calls are judged by; smaller is better, and a share of it is a share of what the objective names. */
export type Objective = 'Latency' | 'Cost' | 'Balanced';

/** Of two groupings that are equal otherwise the one with less memory is better: by so little that it decides nothing else. */
const MEMORY_WEIGHT = 1e-7;

/**
 * A grouping under evaluation: `unitOf` says the unit of each function, `units` what each unit is. Both are changed in place
 * and evaluated again, so that a search makes no objects. `unitOf[f] = -1`: not decided yet. Such a function and its calls are
 * taken at their best, so that what comes out is never above what any decision gives.
 */
export class Model {
  readonly figures: Figures;
  readonly prices: Prices;
  readonly unitOf: Int32Array;
  readonly units: UnitTable;
  /** Of functions that are not decided: the least that any unit makes of their CPU time. */
  readonly leastStretch: Float64Array;
  /** Of functions that are not decided: the least by which the price of any unit grows with them, per second and instance. */
  readonly leastPrice: Float64Array;
  /** By function: milliseconds of one execution, its callees included. */
  readonly tookMs: Float64Array;
  latencyMs = 0;
  memoryBytes = 0;
  /** Per root call. */
  cost = 0;
  /** By function: CPU milliseconds of one execution that fall into its own unit. */
  readonly #workMs: Float64Array;
  /** By function: what its own thread makes of its CPU time. */
  readonly #thread: Float64Array;
  /** By function: executions per second, without those that run beside another one of the same run. */
  readonly #rateInTurn: Float64Array;
  /** By unit: seconds of calls per second, and whether it has a function. */
  readonly #busy: Float64Array;
  readonly #isUsed: Uint8Array;
  /** By unit: what a call finds asleep, in milliseconds on average. */
  readonly #sleepMs: Float64Array;
  /** Scratch: CPU milliseconds of one execution's calls at once, by the unit that they go to, and which execution that was. */
  readonly #atOnce: Float64Array;
  readonly #atOnceIn: Float64Array;
  #turn = 0;
  readonly #isSleeping: boolean;
  readonly #isBusyTime: boolean;
  /** Cores that the functions alone use, in whatever grouping. */
  readonly #leastCores: number;
  /** Cores in use, where anybody asks: what is shared, or what is paid. */
  #coresInUse = 0;
  /** What everybody's work makes of a CPU millisecond on cores that all units share. */
  #crowd = 1;

  constructor(figures: Figures, prices: Prices) {
    const size = figures.names.length;
    this.figures = figures;
    this.prices = prices;
    this.unitOf = Int32Array.from(figures.names, (_, i) => i);
    this.units = new UnitTable(size);
    this.leastStretch = new Float64Array(size).fill(1);
    this.leastPrice = new Float64Array(size);
    this.tookMs = new Float64Array(size);
    this.#workMs = new Float64Array(size);
    this.#thread = Float64Array.from(figures.names, (_, f) => stretch(1, loadOf(figures, f)));
    this.#rateInTurn = rateInTurn(figures);
    this.#busy = new Float64Array(size);
    this.#isUsed = new Uint8Array(size);
    this.#sleepMs = new Float64Array(size);
    this.#atOnce = new Float64Array(size);
    this.#atOnceIn = new Float64Array(size);
    this.#isSleeping = figures.sleeps.includes(1);
    this.#isBusyTime = prices.model === 'BusyTime';
    this.#leastCores = cpuUsed(figures);
  }

  /** Fills `latencyMs`, `memoryBytes` and `cost`, and gives the score by an objective. */
  score(objective: Objective): number {
    if (this.#isSleeping) this.#findSleepers();
    this.#countCores();
    const { order, rootRate, rootsPerSecond } = this.figures;
    let waited = 0;
    for (let i = 0; i < order.length; i++) {
      const f = order[i] ?? 0;
      this.#run(f);
      const rate = rootRate[f] ?? 0;
      if (rate > 0) waited += rate * this.rootMs(f);
    }
    this.latencyMs = waited / rootsPerSecond;
    this.#pay();
    return this.#judge(objective);
  }

  /** What a root call by this entry takes; to be asked after `score`. */
  rootMs(f: number): number {
    const ms = (this.tookMs[f] ?? 0) + this.#asleep(this.unitOf[f] ?? -1);
    return (this.figures.rootScale[f] ?? 1) * ms + (this.figures.rootOffsetMs[f] ?? 0);
  }

  /** Of every unit; while anything is undecided, of the functions alone. */
  #countCores(): void {
    const { count, sharedCores } = this.figures;
    const isShared = sharedCores !== Infinity;
    if (!isShared && !(this.#isBusyTime && this.prices.perCoreSecond > 0)) return;
    const turn = ++this.#turn;
    let cores = 0;
    for (let f = 0; f < count; f++) {
      const u = this.unitOf[f] ?? -1;
      if (u < 0) {
        cores = this.#leastCores;
        break;
      }
      if (this.#atOnceIn[u] === turn) continue;
      this.#atOnceIn[u] = turn;
      cores += this.units.load[u] ?? 0;
    }
    this.#coresInUse = Math.max(cores, this.#leastCores);
    this.#crowd = isShared ? queue(sharedCores, this.#coresInUse) : 1;
  }

  #judge(objective: Objective): number {
    const { latencyMs, cost } = this;
    const score =
      objective === 'Latency' ? latencyMs : objective === 'Cost' ? cost : Math.sqrt(latencyMs * cost);
    return score * (1 + (MEMORY_WEIGHT * this.memoryBytes) / PROCESS_BYTES);
  }

  /** One execution of a function whose callees are known. */
  #run(f: number): void {
    const { firstEdge, to, isSync, calls, parallel, togetherMs, apartMs, cpuMs, waitingMs } = this.figures;
    const { unitOf, tookMs, units } = this;
    const u = unitOf[f] ?? -1;
    const cpu = cpuMs[f] ?? 0;
    let work = cpu;
    let sent = 0;
    let inTurn = 0;
    let longest = 0;
    this.#turn++;
    const end = firstEdge[f + 1] ?? 0;
    for (let e = firstEdge[f] ?? 0; e < end; e++) {
      const g = to[e] ?? 0;
      const v = unitOf[g] ?? -1;
      const isDecided = u >= 0 && v >= 0;
      const isTogether = isDecided && u === v;
      const count = calls[e] ?? 0;
      const atOnce = count * (parallel[e] ?? 0);
      let one = isTogether ? (togetherMs[e] ?? 0) : (apartMs[e] ?? 0);
      if (isSync[e] === 0) {
        if (isTogether) sent += Math.min(1, count) * (cpuMs[g] ?? 0);
      } else {
        if (!isDecided) one = Math.min(one, togetherMs[e] ?? 0);
        else if (!isTogether) one += this.#asleep(v);
        one += tookMs[g] ?? 0;
        if (isTogether) work += count * (this.#workMs[g] ?? 0);
      }
      inTurn += (count - atOnce) * one;
      if (atOnce > 0) longest = Math.max(longest, this.#allAtOnce(g, v, atOnce, one, isSync[e] === 1));
    }
    const unitStretch = Math.max(this.#crowd, (u < 0 ? this.leastStretch[f] : units.stretch[u]) ?? 1);
    const threadStretch = (u < 0 ? 1 : (units.speed[u] ?? 1)) * (this.#thread[f] ?? 1);
    const disturbed = sent > 0 ? Math.min(sent, work / 2) * (units.contention[u] ?? 0) : 0;
    this.#workMs[f] = work;
    tookMs[f] =
      cpu * Math.max(unitStretch, threadStretch) + (waitingMs[f] ?? 0) + inTurn + longest + disturbed;
  }

  /** What calls at once take: the call, further ones of the same callee after it on its thread, and the CPU of their unit. */
  #allAtOnce(g: number, v: number, atOnce: number, one: number, isSync: boolean): number {
    if (!isSync) return Math.min(1, atOnce) * one;
    const further = Math.max(0, atOnce - 1) * (this.figures.cpuMs[g] ?? 0);
    const took = Math.min(1, atOnce) * one + further;
    if (v < 0) return took;
    if (this.#atOnceIn[v] !== this.#turn) this.#atOnce[v] = 0;
    this.#atOnceIn[v] = this.#turn;
    const work = (this.#atOnce[v] ?? 0) + atOnce * (this.#workMs[g] ?? 0);
    this.#atOnce[v] = work;
    return Math.max(took, work * (this.units.coreMs[v] ?? 0));
  }

  #asleep(u: number): number {
    return this.#isSleeping && u >= 0 ? (this.#sleepMs[u] ?? 0) : 0;
  }

  /**
   * What a call from outside finds asleep in each unit: e^(−calls per second · idle seconds) of a start, for calls that come
   * independently. While something is undecided nothing sleeps: more calls might keep a unit awake.
   */
  #findSleepers(): void {
    const { names, count, firstEdge, to, isSync, calls, rate, rootRate, pulledRate } = this.figures;
    const { unitOf, units } = this;
    const sleepMs = this.#sleepMs.fill(0);
    if (unitOf.includes(-1)) return;
    for (let f = 0; f < names.length; f++) {
      const u = unitOf[f] ?? 0;
      sleepMs[u] = (sleepMs[u] ?? 0) + (rootRate[f] ?? 0) + (pulledRate[f] ?? 0);
      for (let e = firstEdge[f] ?? 0; e < (firstEdge[f + 1] ?? 0); e++) {
        const v = unitOf[to[e] ?? 0] ?? 0;
        if (isSync[e] === 1 && v !== u) sleepMs[v] = (sleepMs[v] ?? 0) + (rate[f] ?? 0) * (calls[e] ?? 0);
      }
    }
    for (let u = 0; u < count; u++) {
      const awake = ((sleepMs[u] ?? 0) / (units.instances[u] ?? 1)) * (units.idleSeconds[u] ?? 0);
      sleepMs[u] = awake > 0 ? Math.exp(-awake) * (units.coldMs[u] ?? 0) : 0;
    }
  }

  /** Memory and money, from how long calls ran in each unit. */
  #pay(): void {
    const { count, rootsPerSecond } = this.figures;
    const { units } = this;
    let perSecond = this.#countUnits();
    let bytes = 0;
    for (let u = 0; u < count; u++) {
      if (this.#isUsed[u] === 0) continue;
      const instances = units.instances[u] ?? 1;
      const share = this.#shareOf(this.#busy[u] ?? 0, instances);
      bytes += instances * (units.usedBytes[u] ?? 0);
      perSecond += instances * share * (units.pricePerSecond[u] ?? 0);
    }
    this.memoryBytes = bytes;
    if (this.#isBusyTime) perSecond += this.#coresInUse * this.prices.perCoreSecond;
    this.cost = perSecond / rootsPerSecond;
  }

  /** The share of the time that is paid. */
  #shareOf(busy: number, instances: number): number {
    return this.#isBusyTime ? 1 - Math.exp(-busy / instances) : 1;
  }

  /**
   * Which units there are, and for how long per second calls run in each: those that came in from outside of it. Gives the
   * least price per second of what is not decided.
   */
  #countUnits(): number {
    const { count, instances, firstEdge, to, isSync, calls, rate, rootRate, sentRootRate } = this.figures;
    const { unitOf, tookMs } = this;
    const busy = this.#busy;
    const isUsed = this.#isUsed;
    for (let u = 0; u < count; u++) {
      busy[u] = 0;
      isUsed[u] = 0;
    }
    let undecided = 0;
    for (let f = 0; f < count; f++) {
      const u = unitOf[f] ?? -1;
      const took = (tookMs[f] ?? 0) / 1000;
      if (u < 0) {
        // Its unit is busy at least while it runs.
        const own = instances[f] ?? 1;
        undecided += own * this.#shareOf((this.#rateInTurn[f] ?? 0) * took, own) * (this.leastPrice[f] ?? 0);
        continue;
      }
      isUsed[u] = 1;
      if (!this.#isBusyTime) continue;
      busy[u] = (busy[u] ?? 0) + ((rootRate[f] ?? 0) + (sentRootRate[f] ?? 0)) * took;
      this.#turn++;
      for (let e = firstEdge[f] ?? 0; e < (firstEdge[f + 1] ?? 0); e++) {
        const g = to[e] ?? 0;
        const v = unitOf[g] ?? -1;
        if (v < 0 || (v === u && isSync[e] === 1)) continue;
        const ms = isSync[e] === 1 ? (calls[e] ?? 0) * (tookMs[g] ?? 0) : this.#sentMs(g, v, calls[e] ?? 0);
        busy[v] = (busy[v] ?? 0) + ((rate[f] ?? 0) * ms) / 1000;
      }
    }
    return undecided;
  }

  /** What one execution sends to a function adds to the time in which the unit of that function runs anything. */
  #sentMs(g: number, v: number, calls: number): number {
    const took = this.tookMs[g] ?? 0;
    const before = this.#atOnceIn[v] === this.#turn ? (this.#atOnce[v] ?? 0) : 0;
    const longest = Math.max(before, Math.min(1, calls) * took);
    this.#atOnceIn[v] = this.#turn;
    this.#atOnce[v] = longest;
    return longest - before + Math.max(0, calls - 1) * took;
  }
}

/** CPU that one function uses, in cores per instance. */
export const loadOf = ({ rate, cpuMs, instances }: Figures, f: number): number =>
  ((rate[f] ?? 0) * (cpuMs[f] ?? 0)) / 1000 / (instances[f] ?? 1);

/** Cores that all functions use together. */
const cpuUsed = (figures: Figures): number => {
  let cores = 0;
  for (let f = 0; f < figures.count; f++) cores += loadOf(figures, f) * (figures.instances[f] ?? 1);
  return cores;
};

function rateInTurn({
  rootRate,
  sentRootRate,
  rate,
  names,
  firstEdge,
  to,
  isSync,
  calls,
  parallel,
}: Figures) {
  const out = rootRate.map((r, f) => r + (sentRootRate[f] ?? 0));
  for (let f = 0; f < names.length; f++) {
    for (let e = firstEdge[f] ?? 0; e < (firstEdge[f + 1] ?? 0); e++) {
      if (isSync[e] === 0) continue;
      const g = to[e] ?? 0;
      out[g] = (out[g] ?? 0) + (rate[f] ?? 0) * (calls[e] ?? 0) * (1 - (parallel[e] ?? 0));
    }
  }
  return out;
}
