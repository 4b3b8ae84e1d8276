/** Runs a target over many inputs and holds it to the laws. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Random } from "./random.ts";
import { MAX_MS, type Target } from "./target.ts";

/** Bytes by which the heap may have grown after a target's inputs, garbage collected. */
export const MAX_HEAP_GROWTH: number = 16 * 1024 * 1024;

/** Inputs before the heap is measured for the first time: what is compiled and cached once is no growth. */
const WARM_UP = 200;
/** Valid encodings that inputs of one target are made from; more come with each thousand inputs. */
const CORPUS = 24;
/** A slow input is asked again so often: code that is compiled on the way, or the collector, is no law broken. */
const SLOW_RETRIES = 4;
/** Failing inputs kept per target; the rest is counted. */
const KEPT_FAILURES = 5;

export interface Failure {
  readonly seed: number;
  readonly what: string;
  /** The input, as `--input` takes it. */
  readonly hex: string;
}

export interface TargetReport {
  readonly target: string;
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  readonly slowest_ms: number;
  readonly heap_growth_bytes: number;
  readonly failures: readonly Failure[];
}

export interface Budget {
  readonly seed: number;
  /** Inputs, or as many as fit the time. */
  readonly count: number | null;
  readonly seconds: number | null;
}

/** Frees what is free, now. Node has no other way than its flag. */
function collectorOf(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

/** The input of a seed. Same seed, same input, whatever ran before. */
export function inputOf(target: Target, seed: number): Uint8Array {
  // Every thousand inputs share a corpus, so that the valid encodings are not made anew each time.
  return inputFrom(target, corpusOf(target, Math.floor(seed / 1000)), seed);
}

function corpusOf(target: Target, epoch: number): Uint8Array[] {
  const random = new Random(epoch * 7919 + 17);
  return Array.from({ length: CORPUS }, () => target.valid(random));
}

function inputFrom(target: Target, corpus: readonly Uint8Array[], seed: number): Uint8Array {
  const random = new Random(seed);
  switch (random.below(16)) {
    case 0:
      // Untouched: the decoder must take what its encoder makes.
      return target.valid(random);
    case 1:
      return random.bytes(random.count(400));
    default:
      return target.mutate(random.pick(corpus), random, corpus);
  }
}

/** What is wrong with the target on this input, or its outcome; and the CPU time of this thread that it took. */
export async function tryInput(
  target: Target,
  input: Uint8Array,
): Promise<{ readonly outcome: string; readonly fault: string | null; readonly ms: number }> {
  const started = process.threadCpuUsage();
  let outcome = "failed";
  let fault: string | null = null;
  try {
    const answer = target.run(input);
    outcome = answer instanceof Promise ? await answer : answer;
  } catch (error) {
    fault = error instanceof Error ? `${error.name}: ${error.message}\n${placeOf(error)}` : String(error);
  }
  // The thread's own time: on a busy machine the clock also counts what other programs take.
  const { user, system } = process.threadCpuUsage(started);
  return { outcome, fault, ms: (user + system) / 1000 };
}

const placeOf = (error: Error): string =>
  (error.stack ?? "")
    .split("\n")
    .filter((line) => line.includes("    at "))
    .slice(0, 4)
    .join("\n");

async function slowness(target: Target, input: Uint8Array, first: number): Promise<number> {
  let least = first;
  for (let i = 0; i < SLOW_RETRIES && least > (target.maxMs ?? MAX_MS); i++) {
    least = Math.min(least, (await tryInput(target, input)).ms);
  }
  return least;
}

export async function fuzzTarget(target: Target, budget: Budget): Promise<TargetReport> {
  const collect = collectorOf();
  const counts = { accepted: 0, refused: 0, failed: 0 };
  const failures: Failure[] = [];
  const limit = target.maxMs ?? MAX_MS;
  const until = budget.seconds === null ? null : performance.now() + budget.seconds * 1000;
  const fail = (seed: number, input: Uint8Array, what: string): void => {
    counts.failed++;
    if (failures.length < KEPT_FAILURES)
      failures.push({ seed, what, hex: Buffer.from(input).toString("hex") });
  };
  let slowest = 0;
  let heap = 0;
  let inputs = 0;
  let epoch = -1;
  let corpus: readonly Uint8Array[] = [];
  for (; budget.count === null || inputs < budget.count; inputs++) {
    if (until !== null && inputs % 16 === 0 && performance.now() >= until) break;
    if (inputs === WARM_UP) {
      collect();
      heap = process.memoryUsage().heapUsed;
    }
    const seed = budget.seed + inputs;
    if (Math.floor(seed / 1000) !== epoch) {
      epoch = Math.floor(seed / 1000);
      corpus = corpusOf(target, epoch);
    }
    const input = inputFrom(target, corpus, seed);
    const { outcome, fault, ms } = await tryInput(target, input);
    if (fault !== null) fail(seed, input, fault);
    else if (outcome === "accepted") counts.accepted++;
    else counts.refused++;
    const time = ms > limit ? await slowness(target, input, ms) : ms;
    slowest = Math.max(slowest, time);
    if (time > limit)
      fail(seed, input, `it took ${time.toFixed(1)} ms of CPU time, at most ${limit} are allowed`);
  }
  await target.close?.();
  let growth = 0;
  if (inputs > WARM_UP) {
    collect();
    growth = Math.max(0, process.memoryUsage().heapUsed - heap);
    if (growth > MAX_HEAP_GROWTH) {
      fail(budget.seed, new Uint8Array(0), `the heap grew by ${growth} bytes over ${inputs} inputs`);
    }
  }
  return {
    target: target.name,
    inputs,
    ...counts,
    slowest_ms: Math.round(slowest * 10) / 10,
    heap_growth_bytes: growth,
    failures,
  };
}
