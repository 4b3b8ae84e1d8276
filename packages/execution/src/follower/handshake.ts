import type { Genesis } from "@quorate/chain";
import { bytesEqual, toHex } from "@quorate/crypto";
import type { ElBlock, EngineApi } from "../engine/api.ts";
import { type Answer, diagnose, type Failure } from "../engine/failure.ts";
import type { JsonRpc } from "../engine/rpc.ts";
import { requiredMethods } from "../payload/methods.ts";
import type { EngineOptions, EngineTiming, ExecutionLog } from "../ports.ts";
import type { ElStatus } from "../types.ts";
import { type ElConfigExpectation, faultOfConfig } from "./el-config.ts";

export type Handshake =
  | { readonly ok: true; readonly client: string; readonly head: ElBlock }
  | { readonly ok: false; readonly status: ElStatus; readonly away: boolean };

export interface HandshakePorts {
  readonly api: EngineApi;
  /** Authenticated port. */
  readonly engine: JsonRpc;
  /** Public port. */
  readonly eth: JsonRpc;
  readonly genesis: Genesis;
  readonly options: EngineOptions;
  readonly timing: EngineTiming;
  readonly log: ExecutionLog;
}

/**
 * Everything that must hold before the EL is used, checked again at each new connection: it may have been swapped,
 * wiped or upgraded. `eth_syncing` is not asked: Geth answers an object before block 1 (geth-verified §2).
 */
export async function handshake(ports: HandshakePorts): Promise<Handshake> {
  const { api, genesis } = ports;
  const chainId = await api.chainId();
  if (!chainId.ok) return refused(ports, chainId.failure);
  if (chainId.value !== BigInt(genesis.evmChainId)) {
    return misconfigured(
      "EL_CHAIN_ID",
      `the execution client runs chain id ${chainId.value}, this chain has ${genesis.evmChainId}`,
      "initialise the execution client with this chain's el-genesis.json, or correct execution.engine_url",
    );
  }
  const first = await api.block(0);
  if (!first.ok) return refused(ports, first.failure);
  if (first.value === null || !bytesEqual(first.value.hash, genesis.elGenesisHash)) {
    const found = first.value === null ? "none" : `0x${toHex(first.value.hash)}`;
    return misconfigured(
      "EL_GENESIS",
      `the execution client's genesis block is ${found}, this chain's is 0x${toHex(genesis.elGenesisHash)}`,
      "stop it, delete its data directory, initialise it with this chain's el-genesis.json (geth init), start it",
    );
  }
  const head = await api.block("latest");
  if (!head.ok) return refused(ports, head.failure);
  if (head.value === null) return refused(ports, { kind: "malformed", reason: "no latest block" });
  const anchor = await anchorFault(ports, head.value);
  if (anchor !== null) return anchor;
  const offered = await api.capabilities(requiredMethods(head.value.timestamp, genesis.params.forkOsaka));
  if (!offered.ok) return refused(ports, offered.failure);
  const { value: names } = offered;
  const missing = requiredMethods(head.value.timestamp, genesis.params.forkOsaka).filter(
    (n) => !names.includes(n),
  );
  if (missing.length > 0) {
    return misconfigured(
      "EL_METHOD",
      `the execution client does not offer ${missing.join(", ")}`,
      "run a client release that knows the chain's forks",
    );
  }
  const config = await configFault(ports, head.value.timestamp);
  if (config !== null) return config;
  const client = await api.clientVersion();
  if (!client.ok && client.failure.kind !== "rpc") return refused(ports, client.failure);
  return { ok: true, client: client.ok ? client.value : "unknown client", head: head.value };
}

async function anchorFault(ports: HandshakePorts, head: ElBlock): Promise<Handshake | null> {
  const { api, genesis } = ports;
  if (genesis.anchorNumber === 0) return null;
  const action = "restore the execution client from the snapshot that belongs to this chain's genesis";
  if (head.number < genesis.anchorNumber) {
    const reason = `the execution client ends at block ${head.number}, before the chain's anchor ${genesis.anchorNumber}`;
    return misconfigured("EL_ANCHOR", reason, action);
  }
  const anchor = await api.block(genesis.anchorNumber);
  if (!anchor.ok) return refused(ports, anchor.failure);
  if (anchor.value !== null && bytesEqual(anchor.value.hash, genesis.anchorHash)) return null;
  const reason = `the execution client's block ${genesis.anchorNumber} is not the chain's anchor`;
  return misconfigured("EL_ANCHOR", reason, action);
}

/** The genesis hash does not cover the config: `eth_config` does, where the client has it (geth-verified §1). */
async function configFault(ports: HandshakePorts, headTimestamp: number): Promise<Handshake | null> {
  const { engine, eth, genesis, options, timing, log } = ports;
  const ask = (rpc: JsonRpc): Promise<Answer<unknown>> =>
    rpc.call("eth_config", [], { timeoutMs: timing.callTimeoutMs });
  let answer = await ask(engine);
  if (!answer.ok && answer.failure.kind !== "rpc") return refused(ports, answer.failure);
  // The authenticated port need not carry every eth method.
  if (!answer.ok) answer = await ask(eth);
  if (!answer.ok) {
    const { reason } = diagnose(answer.failure, eth.label);
    log.debug("execution client gives no eth_config: its fork times and contracts stay unchecked", {
      reason,
    });
    return null;
  }
  const expected: ElConfigExpectation = {
    chainId: BigInt(genesis.evmChainId),
    depositContractAddress: genesis.depositContractAddress,
    forkOsaka: genesis.params.forkOsaka,
    blobSchedule: options.blobSchedule ?? null,
    headTimestamp,
  };
  const reason = faultOfConfig(answer.value, expected);
  if (reason === null) return null;
  return misconfigured(
    "EL_CONFIG",
    reason,
    "initialise the execution client with this chain's el-genesis.json: the genesis hash alone does not cover its config",
  );
}

function refused(ports: HandshakePorts, failure: Failure): Handshake {
  return { ok: false, status: statusOf(failure, ports.api.label), away: failure.kind === "unreachable" };
}

function misconfigured(code: string, reason: string, action: string): Handshake {
  return { ok: false, status: { kind: "misconfigured", code, reason, action }, away: false };
}

/** Status for a failure that stops the adapter from using the EL at all. */
export function statusOf(failure: Failure, endpoint: string): ElStatus {
  const { health, code, reason, action } = diagnose(failure, endpoint);
  return health === "misconfigured"
    ? { kind: "misconfigured", code, reason, action }
    : { kind: "offline", reason, action };
}
