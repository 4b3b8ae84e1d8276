/** Makes a failing run smaller before a person looks at it: fewer faults, fewer heights, fewer nodes. */
import { chosenFaults, planOf, type RunOptions, runSeed, type SimResult } from "./run.ts";

/** Runs that shrinking may take. */
const BUDGET = 80;

/** Smaller runs of the same seed that fail in the same way (same verdict, same law). `spent`: runs it took. */
export async function shrink(
  options: RunOptions,
  failed: SimResult,
): Promise<{ readonly result: SimResult; readonly options: RunOptions; readonly spent: number }> {
  let best = { result: failed, options };
  let spent = 0;
  const fails = async (candidate: RunOptions): Promise<boolean> => {
    if (spent >= BUDGET) return false;
    spent++;
    const result = await runSeed(candidate);
    if (!sameFailure(result, failed)) return false;
    best = { result, options: candidate };
    return true;
  };

  const plan = planOf(options);
  let kept = chosenFaults(plan.faults, options.faults ?? ["all"]).map(({ id }) => id);
  const wanted = options.faults ?? ["all"];
  let liars = plan.byzantine !== null && (wanted.includes("all") || wanted.includes("byzantine"));
  const withFaults = (ids: readonly number[], lying = liars): RunOptions => ({
    ...best.options,
    faults: [...(lying ? ["byzantine"] : ["none"]), ...ids.map(String)],
  });
  if (liars && (await fails(withFaults(kept, false)))) liars = false;
  // A full mesh is easier to understand.
  if (plan.links !== null) await fails({ ...best.options, links: "mesh" });
  // What lies behind the failure cannot have caused it.
  const before = plan.faults.filter(({ atMs }) => atMs <= endOf(failed)).map(({ id }) => id);
  const early = kept.filter((id) => before.includes(id));
  if (early.length < kept.length && (await fails(withFaults(early)))) kept = early;
  for (let size = Math.ceil(kept.length / 2); size >= 1 && spent < BUDGET; ) {
    let removed = false;
    for (let at = 0; at < kept.length && spent < BUDGET; ) {
      const rest = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (await fails(withFaults(rest))) {
        kept = rest;
        removed = true;
      } else at += size;
    }
    if (size === 1 && !removed) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }

  for (let heights = best.result.heights; heights > 5 && spent < BUDGET; ) {
    heights = Math.max(5, Math.floor(heights / 2));
    // The plan's faults depend on how long the run is: they must be the same ones.
    if (!sameFaults(options, { ...best.options, heights }, kept)) break;
    if (!(await fails({ ...best.options, heights }))) break;
  }
  for (let validators = 1; validators < best.result.validators && spent < BUDGET; validators++) {
    if (await fails({ ...best.options, validators, faults: ["all"] })) break;
  }
  return { ...best, spent };
}

function sameFailure(a: SimResult, b: SimResult): boolean {
  return a.verdict === b.verdict && a.violations[0]?.law === b.violations[0]?.law;
}

function endOf(failed: SimResult): number {
  return failed.violations[0]?.t ?? failed.healed_ms;
}

function sameFaults(a: RunOptions, b: RunOptions, ids: readonly number[]): boolean {
  const [first, second] = [planOf(a), planOf(b)];
  const text = (plan: typeof first): string =>
    JSON.stringify(plan.faults.filter(({ id }) => ids.includes(id)));
  return text(first) === text(second);
}
