import { type Proposal, proposalSignBytes, type Vote, voteSignBytes } from "@quorate/chain";
import {
  BLANK_STATE,
  type PrivVal,
  type ProposalToSign,
  type SignAnswer,
  type SigningKey,
  type SignState,
  type VoteToSign,
} from "@quorate/privval";

/** A signer without a guard and without memory: whatever it is asked for it signs. */
export class LooseSigner implements PrivVal {
  readonly state: SignState = BLANK_STATE;
  readonly #key: SigningKey;

  constructor(key: SigningKey) {
    this.#key = key;
  }

  get address(): Uint8Array {
    return this.#key.address;
  }

  get pubKey(): Uint8Array {
    return this.#key.signer.publicKey;
  }

  async signVote(chainId: string, vote: VoteToSign): Promise<SignAnswer<Vote>> {
    const signature = this.#key.signer.sign(voteSignBytes(chainId, vote));
    return { ok: true, reused: false, message: { ...vote, signature } };
  }

  async signProposal(chainId: string, proposal: ProposalToSign): Promise<SignAnswer<Proposal>> {
    const signature = this.#key.signer.sign(proposalSignBytes(chainId, proposal));
    return { ok: true, reused: false, message: { ...proposal, signature } };
  }

  async raise(): Promise<void> {}

  async close(): Promise<void> {}
}
