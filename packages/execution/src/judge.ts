import type { EngineApi } from "./engine/api.ts";
import { diagnose, type Failure, RpcCode } from "./engine/failure.ts";
import type { Follower } from "./follower/follower.ts";
import { refusal } from "./payload/to-engine.ts";
import type { PayloadChecks } from "./payload-checks.ts";
import type { EngineModules, EngineTiming } from "./ports.ts";
import type { ExecutionPayload, Verdict } from "./types.ts";
import { pause } from "./wake.ts";

export interface JudgePorts {
  readonly api: EngineApi;
  readonly follower: Follower;
  readonly modules: EngineModules;
  readonly timing: EngineTiming;
  readonly checks: PayloadChecks;
}

/**
 * The verdict on a payload (DESIGN §4, §7): VALID and INVALID are answers, everything else is no verdict and is asked
 * again until the signal aborts. A call that runs at abort is left to end; its VALID is remembered.
 */
export async function judge(
  ports: JudgePorts,
  payload: ExecutionPayload,
  parentBeaconBlockRoot: Uint8Array,
  signal: AbortSignal,
): Promise<Verdict> {
  const { checks, follower, modules, timing } = ports;
  const refused = refusal(payload);
  if (refused !== null) return { kind: "invalid", reason: refused };
  const parent = payload.envelope.blockNumber - 1;
  let reason = "not asked yet";
  for (let wait = timing.retryMinMs; !signal.aborted; wait = Math.min(wait * 2, timing.retryMaxMs)) {
    if (checks.isValid(payload, parentBeaconBlockRoot)) return { kind: "valid" };
    // Some clients call a block invalid when they only lack its parent (engine-api §1.3).
    const hadParent = follower.located && follower.cursor.height >= parent;
    const answer = await ask(ports, payload, parentBeaconBlockRoot, signal);
    if (answer.kind === "valid") return answer;
    if (answer.kind === "invalid" && hadParent) return answer;
    reason = answer.reason;
    if (signal.aborted) break;
    await pauseOrProgress(follower, parent, hadParent, modules.clock, wait, signal);
  }
  return { kind: "unknown", reason: reason === "not asked yet" ? "given up" : reason };
}

async function ask(
  ports: JudgePorts,
  payload: ExecutionPayload,
  root: Uint8Array,
  signal: AbortSignal,
): Promise<Verdict> {
  const answer = await ports.checks.check(payload, root, signal);
  if (!answer.ok) return verdictOf(answer.failure, ports);
  const { status, error } = answer.value;
  switch (status) {
    case "VALID":
      return { kind: "valid" };
    case "INVALID":
      return { kind: "invalid", reason: error === "" ? "INVALID" : error };
    case "SYNCING":
    case "ACCEPTED":
      return { kind: "unknown", reason: status };
  }
}

/** A payload that the EL cannot even take is invalid here; trouble with the EL is no verdict. */
function verdictOf(failure: Failure, ports: JudgePorts): Verdict {
  if (failure.kind === "aborted") return { kind: "unknown", reason: "given up" };
  const { reason } = diagnose(failure, ports.api.label);
  const tooLarge =
    (failure.kind === "http" && failure.status === 413) ||
    (failure.kind === "rpc" && failure.code === RpcCode.tooLargeRequest);
  const unreadable = failure.kind === "rpc" && failure.code === RpcCode.invalidParams;
  if (tooLarge || unreadable) return { kind: "invalid", reason };
  ports.follower.suspect(failure);
  return { kind: "unknown", reason };
}

/** Waits for the EL to get the parent when that is what it lacks, else for a while. */
async function pauseOrProgress(
  follower: Follower,
  parent: number,
  hadParent: boolean,
  clock: EngineModules["clock"],
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  if (hadParent) return pause(clock, ms, signal);
  const stop = new AbortController();
  // Given up, or the adapter is being closed: then the pause ends the wait, and the caller looks at its signal.
  const progress = follower
    .whenExecuted(parent, AbortSignal.any([signal, stop.signal]))
    .catch(() => undefined);
  await Promise.race([progress, pause(clock, ms, AbortSignal.any([signal, stop.signal]))]);
  stop.abort();
}
