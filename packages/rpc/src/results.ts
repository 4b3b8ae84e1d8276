/** Answers about the node rather than the chain: status, peers, consensus, in CometBFT's JSON plus ours. */
import type { ValidatorSet } from "@quorate/chain";
import {
  formatTime,
  plannedUpgrades,
  publicKeyJson,
  timeFromMs,
  toBase64,
  unsupportedUpgrade,
  upgradesHash,
  validatorByAddress,
  validatorSetJson,
  ZERO_TIME,
} from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import type { BlockReader, Meta } from "./blocks.ts";
import type { ConsensusSummary, NodeInfo, RpcPeer, RpcView } from "./types.ts";

/** Versions that node_info names: our p2p protocol is not CometBFT's. */
const P2P_PROTOCOL = "1";
const BLOCK_PROTOCOL_TEXT = "11";

/** CometBFT's numbers of the steps in height/round/step. */
const STEP_NUMBERS: Readonly<Record<string, number>> = {
  NewHeight: 1,
  NewRound: 2,
  Propose: 3,
  Prevote: 4,
  PrevoteWait: 5,
  Precommit: 6,
  PrecommitWait: 7,
  Commit: 8,
};

/** CometBFT's `/status` with `consensus`, `execution` and `upgrades` beside it. */
export async function status(view: RpcView, blocks: BlockReader): Promise<unknown> {
  const node = view.nodeInfo();
  const state = view.state();
  const latest = view.height > 0 ? await blocks.meta(view.height) : null;
  const earliest = view.height > 0 ? await blocks.meta(Math.max(1, view.base)) : null;
  return {
    node_info: nodeInfoJson(node, state.appVersion),
    sync_info: {
      latest_block_hash: latest === null ? "" : toHexUpper(latest.blockHash),
      latest_app_hash: latest === null ? "" : toHexUpper(latest.header.appHash),
      latest_block_height: String(view.height),
      latest_block_time: timeOf(latest),
      earliest_block_hash: earliest === null ? "" : toHexUpper(earliest.blockHash),
      earliest_app_hash: earliest === null ? "" : toHexUpper(earliest.header.appHash),
      earliest_block_height: String(view.base),
      earliest_block_time: timeOf(earliest),
      catching_up: node.catchingUp,
    },
    validator_info: {
      address: node.validator === null ? "" : toHexUpper(node.validator.address),
      pub_key: node.validator === null ? null : publicKeyJson(node.validator.pubKey),
      voting_power: String(node.validator?.power ?? 0n),
    },
    genesis_hash: node.genesisHash.toUpperCase(),
    consensus: consensusJson(view.consensus()),
    execution: executionJson(view),
    upgrades: upgradesJson(view, state.lastHeight + 1),
  };
}

function timeOf(meta: Meta | null): string {
  return formatTime(meta === null ? ZERO_TIME : meta.header.time);
}

function nodeInfoJson(node: NodeInfo, appVersion: bigint): unknown {
  return {
    protocol_version: { p2p: P2P_PROTOCOL, block: BLOCK_PROTOCOL_TEXT, app: String(appVersion) },
    id: node.id,
    listen_addr: node.listenAddress,
    network: node.network,
    version: node.version,
    channels: "",
    moniker: node.moniker,
    other: { tx_index: "off", rpc_address: node.rpcAddress },
  };
}

function consensusJson(consensus: ConsensusSummary): unknown {
  return {
    height: String(consensus.height),
    round: consensus.round,
    step: consensus.step,
    proposer: consensus.proposer === null ? "" : toHexUpper(consensus.proposer),
    prevotes_power: String(consensus.prevotesPower),
    precommits_power: String(consensus.precommitsPower),
    total_power: String(consensus.totalPower),
    missing: consensus.missing.map(toHexUpper),
    locked_round: consensus.lockedRound,
    valid_round: consensus.validRound,
    start_time: formatTime(timeFromMs(consensus.startTimeMs)),
  };
}

function executionJson(view: RpcView): unknown {
  const execution = view.executionSummary();
  return {
    client: execution.client,
    head: execution.head,
    executed_height: String(execution.executedHeight),
    lag: String(execution.lag),
    el_ready: execution.elReady,
    detail: execution.detail,
  };
}

function upgradesJson(view: RpcView, nextHeight: number): unknown {
  const planned = plannedUpgrades(view.state());
  const unsupported = unsupportedUpgrade(planned, nextHeight);
  return {
    hash: toHexUpper(upgradesHash(view.genesis.upgrades)),
    scheduled: planned
      .filter((upgrade) => upgrade.height >= nextHeight)
      .map((upgrade) => ({ height: String(upgrade.height), app_version: String(upgrade.appVersion) })),
    unsupported_height: unsupported === null ? null : String(unsupported.height),
  };
}

export function netInfo(view: RpcView): unknown {
  const node = view.nodeInfo();
  const peers = view.peers();
  return {
    listening: node.listenAddress !== "",
    listeners: node.listenAddress === "" ? [] : [`Listener(@${node.listenAddress})`],
    n_peers: String(peers.length),
    peers: peers.map((peer) => ({
      node_info: nodeInfoJson(
        {
          ...node,
          id: peer.id,
          listenAddress: peer.address,
          moniker: peer.moniker,
          rpcAddress: "",
        },
        view.state().appVersion,
      ),
      is_outbound: peer.outbound,
      connection_status: {},
      remote_ip: ipOf(peer.address),
      height: String(peer.height),
    })),
  };
}

/** The IP of a multiaddr such as /ip4/10.0.0.1/tcp/26656, or "". */
function ipOf(multiaddr: string): string {
  return /^\/ip[46]\/([^/]+)/.exec(multiaddr)?.[1] ?? "";
}

export function abciInfo(view: RpcView): unknown {
  const state = view.state();
  const node = view.nodeInfo();
  return {
    response: {
      data: "quorate",
      version: node.version,
      app_version: String(state.appVersion),
      last_block_height: String(view.height),
      last_block_app_hash: toBase64(state.appHash),
    },
  };
}

/** `/consensus_state`: the compressed round state. */
export function roundStateSimple(consensus: ConsensusSummary, validators: ValidatorSet): unknown {
  const total = consensus.totalPower;
  const { proposer } = consensus;
  return {
    "height/round/step": `${consensus.height}/${consensus.round}/${STEP_NUMBERS[consensus.step] ?? 0}`,
    start_time: formatTime(timeFromMs(consensus.startTimeMs)),
    proposal_block_hash: "",
    locked_block_hash: "",
    valid_block_hash: "",
    height_vote_set: [
      {
        round: consensus.round,
        prevotes_power: `${consensus.prevotesPower}/${total}`,
        precommits_power: `${consensus.precommitsPower}/${total}`,
      },
    ],
    proposer:
      proposer === null
        ? null
        : { address: toHexUpper(proposer), index: validatorByAddress(validators, proposer)?.index ?? -1 },
  };
}

/** `/dump_consensus_state`: round state with the height's validators. */
export function roundState(consensus: ConsensusSummary, validators: ValidatorSet): unknown {
  const proposer =
    consensus.proposer === null ? null : validatorByAddress(validators, consensus.proposer)?.index;
  return {
    height: String(consensus.height),
    round: consensus.round,
    step: STEP_NUMBERS[consensus.step] ?? 0,
    step_name: consensus.step,
    start_time: formatTime(timeFromMs(consensus.startTimeMs)),
    validators: validatorSetJson(validators),
    proposer_index: proposer ?? null,
    locked_round: consensus.lockedRound,
    valid_round: consensus.validRound,
    votes: [
      {
        round: consensus.round,
        prevotes_power: String(consensus.prevotesPower),
        precommits_power: String(consensus.precommitsPower),
        total_power: String(consensus.totalPower),
        missing: consensus.missing.map(toHexUpper),
      },
    ],
  };
}

export function peerStates(peers: readonly RpcPeer[]): unknown {
  return peers.map((peer) => ({
    node_address: `${peer.id}@${peer.address}`,
    peer_state: { round_state: { height: String(peer.height) } },
  }));
}
