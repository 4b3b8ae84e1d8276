import type { BlockId, Height, Proposal, Round, Vote } from "@quorate/chain";
import { type Ed25519Signer, ed25519Signer } from "@quorate/crypto";
import { PrivvalError } from "./errors.ts";
import { judge, proposalRequest, type Request, raisedState, signedState, voteRequest } from "./guard.ts";
import { readKeyFile } from "./key-file.ts";
import { fileSlotDisk, type SlotDisk } from "./slot-disk.ts";
import { readState, writeSlot } from "./state-file.ts";
import type {
  PrivVal,
  ProposalToSign,
  SignAnswer,
  SignDependency,
  SignState,
  SignStep,
  VoteToSign,
} from "./types.ts";

/** A key that signs; the guard does not care how. */
export interface SigningKey {
  readonly signer: Ed25519Signer;
  /** Of {@link Ed25519Signer.publicKey}. */
  readonly address: Uint8Array;
}

export interface FilePrivValOptions {
  /** `config/priv_validator_key.json`, or what stands for it where keys lie elsewhere. */
  readonly keyFile: string | SigningKey;
  /** `data/priv_validator_state.bin`. */
  readonly stateFile: string;
  /** Where slots are written; the log's writer thread in a node. */
  readonly disk?: SlotDisk;
  /** Something known to be signed already: the watermark begins at least there. */
  readonly watermark?: { readonly height: Height; readonly round: Round; readonly step: SignStep };
}

interface Signed {
  readonly signature: Uint8Array;
  readonly timestamp: bigint;
  readonly reused: boolean;
}

type Answer =
  | ({ readonly ok: true } & Signed)
  | { readonly ok: false; readonly code: "REGRESSION" | "CONFLICT"; readonly reason: string };

/** Guard and signer over a key file and a two-slot sign state. Requests are answered one after the other. */
export class FilePrivVal implements PrivVal {
  readonly address: Uint8Array;
  readonly pubKey: Uint8Array;
  /** Whether one of the two slots was unreadable at the start: the watermark may then lie one signature back. */
  readonly slotLost: boolean;
  readonly #signer: Ed25519Signer;
  readonly #disk: SlotDisk;
  readonly #stateFile: string;
  #state: SignState;
  #queue: Promise<unknown> = Promise.resolve();
  #failure: PrivvalError | null = null;
  #closed = false;

  private constructor(
    key: SigningKey,
    opened: { readonly state: SignState; readonly slotLost: boolean },
    disk: SlotDisk,
    stateFile: string,
  ) {
    this.address = key.address;
    this.pubKey = key.signer.publicKey;
    this.#signer = key.signer;
    this.#state = opened.state;
    this.slotLost = opened.slotLost;
    this.#disk = disk;
    this.#stateFile = stateFile;
  }

  /**
   * Opens key and sign state. A key without its sign state never signs: what it signed before is not known.
   * @throws PrivvalError `KEY_MISSING`, `KEY_MODE`, `KEY_INVALID`, `SIGN_STATE_MISSING`, `SIGN_STATE_DAMAGED`,
   * `SIGN_STATE_FOREIGN`, `SIGN_STATE_IO`.
   */
  static async open(options: FilePrivValOptions): Promise<FilePrivVal> {
    const key = await openKey(options.keyFile);
    const disk = options.disk ?? fileSlotDisk();
    const { state, bothWhole } = await readState(disk, options.stateFile, key.address);
    // After a failed sync the slot may lie in the page cache alone, clean and never to be written: a process that came
    // after would take it for durable and give its signature away.
    await writeSlot(disk, options.stateFile, key.address, state);
    const privval = new FilePrivVal(key, { state, slotLost: !bothWhole }, disk, options.stateFile);
    if (options.watermark !== undefined) {
      const { height, round, step } = options.watermark;
      await privval.raise(height, round, step);
    }
    return privval;
  }

  get state(): SignState {
    return this.#state;
  }

  async signVote(chainId: string, vote: VoteToSign, dependency: SignDependency): Promise<SignAnswer<Vote>> {
    const answer = await this.#sign(voteRequest(chainId, vote), dependency);
    if (!answer.ok) return answer;
    const { signature, timestamp, reused } = answer;
    return { ok: true, reused, message: { ...vote, timestamp, signature } };
  }

  async signProposal(
    chainId: string,
    proposal: ProposalToSign,
    dependency: SignDependency,
  ): Promise<SignAnswer<Proposal>> {
    const answer = await this.#sign(proposalRequest(chainId, proposal), dependency);
    if (!answer.ok) return answer;
    const { signature, timestamp, reused } = answer;
    return { ok: true, reused, message: { ...proposal, timestamp, signature } };
  }

  raise(
    height: Height,
    round: Round,
    step: SignStep,
    lock?: { readonly round: Round; readonly blockId: BlockId },
  ): Promise<void> {
    return this.#inTurn(async () => {
      const next = raisedState(this.#state, { height, round, step }, lock);
      if (next !== this.#state) await this.#save(next);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
  }

  #sign(request: Request, dependency: SignDependency): Promise<Answer> {
    return this.#inTurn(async () => {
      const judgement = judge(this.#state, request);
      if (judgement.kind === "refuse") {
        return { ok: false, code: judgement.code, reason: judgement.reason };
      }
      if (judgement.kind === "reuse") {
        const { signature, timestamp } = judgement.last;
        return { ok: true, reused: true, signature, timestamp };
      }
      const { timestamp } = request;
      const signBytes = request.signBytes(timestamp);
      const signature = this.#signer.sign(signBytes);
      await this.#save(signedState(this.#state, request, signBytes, signature, dependency));
      return { ok: true, reused: false, signature, timestamp };
    });
  }

  async #save(next: SignState): Promise<void> {
    try {
      await writeSlot(this.#disk, this.#stateFile, this.address, next);
    } catch (error) {
      // What is on disk is no longer known, so no further request may be judged by what is in memory.
      if (error instanceof PrivvalError) this.#failure = error;
      throw error;
    }
    this.#state = next;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      return Promise.reject(new PrivvalError("CLOSED", "the signer is closed", { file: this.#stateFile }));
    }
    const turn = this.#queue.then(() => {
      if (this.#failure !== null) throw this.#failure;
      return work();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }
}

async function openKey(source: string | SigningKey): Promise<SigningKey> {
  if (typeof source !== "string") return source;
  const { seed, address } = await readKeyFile(source);
  return { signer: ed25519Signer(seed), address };
}
