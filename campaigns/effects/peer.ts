/**
 * An honest validator beside the node under test: the real core, with a shell whose whole state is one immutable value,
 * so that what it was at any moment can be kept and gone on from.
 */
import {
  applyBlock,
  type BlockId,
  blockIdKey,
  type Certificate,
  type ChainState,
  type Commit,
  EMPTY_COMMIT,
  earliestTime,
  type Proposal,
  proposalSignBytes,
  type Time,
  timeFromMs,
  timeToMs,
  type Vote,
  voteSignBytes,
} from "@quorate/chain";
import {
  type ConsensusState,
  type Effect,
  type Input,
  initialState,
  step,
  type Timeout,
} from "@quorate/consensus";
import type { Ed25519Signer } from "@quorate/crypto";
import {
  type MadeBlock,
  nextBlock,
  signerOf,
  type TestChain,
} from "../../packages/node/test/support/chain.ts";

export type Message =
  | { readonly kind: "vote"; readonly vote: Vote }
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  | { readonly kind: "proposal"; readonly proposal: Proposal; readonly block: MadeBlock };

export interface Decided {
  readonly block: MadeBlock;
  readonly commit: Commit;
}

export interface PeerState {
  readonly core: ConsensusState;
  readonly chain: ChainState;
  readonly decided: ReadonlyMap<number, Decided>;
  readonly blocks: ReadonlyMap<string, MadeBlock>;
  /** When each running timer fires, by monotonic time. */
  readonly timers: readonly { readonly timeout: Timeout; readonly at: number }[];
}

/** What a peer does to the world. */
export interface PeerWorld {
  nowMs(): number;
  wallMs(): number;
  timer(ms: number, callback: () => void): () => void;
  send(from: number, message: Message): void;
  /** A body that somebody holds; `null` when nobody does. */
  findBlock(blockId: BlockId): MadeBlock | null;
  /** The peer has seen what must never be. */
  accuse(what: string): void;
}

export function freshPeer(chain: TestChain): PeerState {
  return { core: initialState(), chain: chain.start, decided: new Map(), blocks: new Map(), timers: [] };
}

export class Peer {
  readonly index: number;
  private current: PeerState;
  private readonly chain: TestChain;
  private readonly world: PeerWorld;
  private readonly running = new Map<string, () => void>();
  private readonly inputs: Input[] = [];
  private readonly signer: Ed25519Signer;
  private readonly address: Uint8Array;

  constructor(index: number, chain: TestChain, world: PeerWorld, state: PeerState) {
    this.index = index;
    this.chain = chain;
    this.world = world;
    this.current = state;
    this.signer = signerOf(chain.keys.seeds[index] as Uint8Array);
    this.address = chain.keys.addresses[index] as Uint8Array;
    for (const { timeout, at } of state.timers) this.arm(timeout, at);
  }

  get state(): PeerState {
    return this.current;
  }

  get height(): number {
    return this.current.chain.lastHeight + 1;
  }

  begin(): void {
    this.startHeight();
  }

  receive(message: Message): void {
    switch (message.kind) {
      case "vote":
      case "certificate":
        this.feed(message);
        break;
      case "proposal":
        if (message.proposal.height === this.height) this.takeBody(message.block);
        this.feed({ kind: "proposal", proposal: message.proposal, receivedAtMs: this.world.wallMs() });
        break;
    }
  }

  takeBody(block: MadeBlock): void {
    const { header } = block.block;
    this.change({ blocks: new Map([...this.current.blocks, [blockIdKey(block.blockId), block]]) });
    this.feed({
      kind: "body",
      height: header.height,
      blockId: block.blockId,
      time: header.time,
      proposerAddress: header.proposerAddress,
    });
  }

  private change(fields: Partial<PeerState>): void {
    this.current = { ...this.current, ...fields };
  }

  /** One input after the other: what an effect brings about waits for the effects beside it. */
  private feed(input: Input): void {
    this.inputs.push(input);
    if (this.inputs.length > 1) return;
    for (let next = this.inputs[0]; next !== undefined; next = this.inputs[0]) {
      const { state, effects } = step(this.current.core, next);
      this.change({ core: state });
      for (const effect of effects) this.perform(effect);
      this.inputs.shift();
    }
  }

  private perform(effect: Effect): void {
    const { world } = this;
    switch (effect.kind) {
      case "schedule_timeout": {
        const at = world.nowMs() + effect.ms;
        this.disarm(effect.timeout);
        this.change({ timers: [...this.current.timers, { timeout: effect.timeout, at }] });
        this.arm(effect.timeout, at);
        break;
      }
      case "cancel_timeout":
        this.disarm(effect.timeout);
        break;
      case "build":
        this.build(effect.round, effect.notBefore);
        break;
      case "sign_vote": {
        const { height, round } = effect.vote;
        const unsigned = { ...effect.vote, timestamp: timeFromMs(world.wallMs()) };
        const signature = this.signer.sign(voteSignBytes(this.chain.genesis.chainId, unsigned));
        const vote: Vote = { ...unsigned, validatorAddress: this.address, signature };
        this.feed({ kind: "signed_vote", height, round, vote });
        break;
      }
      case "sign_proposal": {
        const { proposal } = effect;
        const bytes = proposalSignBytes(this.chain.genesis.chainId, proposal);
        const signature = this.signer.sign(bytes);
        const { height, round } = proposal;
        this.feed({ kind: "signed_proposal", height, round, proposal: { ...proposal, signature } });
        break;
      }
      case "broadcast_proposal": {
        const block = this.find(effect.proposal.blockId);
        if (block !== null) world.send(this.index, { kind: "proposal", proposal: effect.proposal, block });
        break;
      }
      case "broadcast_vote":
        world.send(this.index, { kind: "vote", vote: effect.vote });
        break;
      case "broadcast_certificate":
        world.send(this.index, { kind: "certificate", certificate: effect.certificate });
        break;
      case "validate":
        this.feed({ kind: "verdict", height: effect.height, blockId: effect.blockId, verdict: "valid" });
        break;
      case "want_body": {
        const block = this.find(effect.blockId);
        if (block !== null) this.takeBody(block);
        break;
      }
      case "decide":
        this.decide(effect.blockId, effect.commit);
        break;
      case "duplicate_vote": {
        const { validatorIndex, height, round, type } = effect.first;
        world.accuse(
          `validator ${validatorIndex} voted twice at height ${height} round ${round} type ${type}`,
        );
        break;
      }
      case "duplicate_proposal":
        world.accuse(`two proposals at height ${effect.first.height} round ${effect.first.round}`);
        break;
      case "foreign_signature":
      case "foreign_proposal":
        world.accuse(`peer ${this.index} saw a signature of its own that it did not make`);
        break;
      case "snapshot":
      case "new_step":
      case "extend_last_commit":
        break;
    }
  }

  private find(blockId: BlockId): MadeBlock | null {
    return this.current.blocks.get(blockIdKey(blockId)) ?? this.world.findBlock(blockId);
  }

  private build(round: number, notBefore: Time): void {
    const { chain } = this.current;
    const { height } = this;
    const wait = timeToMs(notBefore) - this.world.wallMs();
    const make = (): void => {
      if (this.height !== height) return;
      const now = timeFromMs(this.world.wallMs());
      const time = now > notBefore ? now : notBefore;
      const lastCommit = this.current.decided.get(height - 1)?.commit ?? null;
      const block = nextBlock(chain, lastCommit, {
        round,
        time,
        txs: [Uint8Array.of(this.index, height, round)],
      });
      this.change({ blocks: new Map([...this.current.blocks, [blockIdKey(block.blockId), block]]) });
      this.feed({ kind: "built", height, round, value: { blockId: block.blockId, time } });
    };
    if (wait > 0) this.world.timer(wait, make);
    else make();
  }

  private decide(blockId: BlockId, commit: Commit): void {
    const block = this.find(blockId);
    if (block === null) throw new Error("a decided block's body is here");
    const { height } = this;
    this.change({
      chain: applyBlock(this.current.chain, block.block, blockId),
      decided: new Map([...this.current.decided, [height, { block, commit }]]),
      blocks: new Map(),
    });
    this.startHeight();
  }

  private startHeight(): void {
    const { chain, decided } = this.current;
    this.feed({
      kind: "start_height",
      height: this.height,
      validators: chain.validators,
      params: chain.params,
      address: this.address,
      lastTime: chain.lastTime,
      startDelayMs: Math.max(0, timeToMs(earliestTime(chain)) - this.world.wallMs()),
      lock: null,
      watermark: null,
      lastCommit: decided.get(this.height - 1)?.commit ?? EMPTY_COMMIT,
    });
  }

  private arm(timeout: Timeout, at: number): void {
    const key = keyOf(timeout);
    const cancel = this.world.timer(at - this.world.nowMs(), () => {
      this.running.delete(key);
      this.change({ timers: this.current.timers.filter((each) => keyOf(each.timeout) !== key) });
      this.feed({ kind: "timeout", timeout });
    });
    this.running.set(key, cancel);
  }

  private disarm(timeout: Timeout): void {
    const key = keyOf(timeout);
    this.running.get(key)?.();
    this.running.delete(key);
    this.change({ timers: this.current.timers.filter((each) => keyOf(each.timeout) !== key) });
  }
}

const keyOf = ({ kind, height, round }: Timeout): string => `${kind}/${height}/${round}`;
