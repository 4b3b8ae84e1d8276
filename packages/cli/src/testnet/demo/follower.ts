/** A light client that knows genesis alone: it follows the chain height by height, through every change of the set. */
import {
  ChainError,
  commitChecks,
  type Genesis,
  type Hash,
  headerHash,
  type LightBlock,
  lightBlockFromJson,
  makeValidatorSet,
  requireChecks,
  type Time,
  validatorsHash,
} from "@quorate/chain";
import { bytesEqual, nativeBackend } from "@quorate/crypto";
import { setOf } from "../../registry/sets.ts";
import { at, nodeGet } from "../../rpc-client.ts";

/** What a verified height leaves for the next one. */
interface Trusted {
  readonly height: number;
  readonly time: Time;
  /** Of the set that must have signed the next height. */
  readonly nextValidatorsHash: Hash;
}

export class LightFollower {
  readonly #chainId: string;
  #trusted: Trusted;
  #sets = 1;

  constructor(genesis: Genesis) {
    this.#chainId = genesis.chainId;
    this.#trusted = {
      height: genesis.initialHeight - 1,
      time: genesis.genesisTime,
      nextValidatorsHash: validatorsHash(makeValidatorSet(genesis.validators)),
    };
  }

  /** Last height that it verified. */
  get height(): number {
    return this.#trusted.height;
  }

  /** Different validator sets that have signed so far. */
  get sets(): number {
    return this.#sets;
  }

  /**
   * Verifies every height up to `height` as this node tells it.
   * @throws ChainError when one does not follow from the one before; CliError when the node does not answer.
   */
  async follow(rpc: string, height: number): Promise<void> {
    while (this.#trusted.height < height) this.verify(await fetchLightBlock(rpc, this.#trusted.height + 1));
  }

  /** @throws ChainError when the block is not the next one, signed by +2/3 of the set that the one before named. */
  verify({ signedHeader, validators }: LightBlock): void {
    const { header, commit } = signedHeader;
    const { height, time, nextValidatorsHash } = this.#trusted;
    const refuse = (what: string): ChainError =>
      new ChainError("COMMIT", `light client: height ${height + 1}: ${what}`, { height: height + 1 });
    if (header.chainId !== this.#chainId || header.height !== height + 1)
      throw refuse("another chain or height");
    if (header.time <= time) throw refuse("its time does not rise");
    if (!bytesEqual(header.validatorsHash, nextValidatorsHash))
      throw refuse("not the set that was announced");
    if (!bytesEqual(validatorsHash(validators), header.validatorsHash)) throw refuse("not the header's set");
    const blockId = { ...commit.blockId, hash: headerHash(header) };
    const checks = commitChecks(this.#chainId, validators, blockId, header.height, commit, "light");
    requireChecks(checks, nativeBackend);
    if (!bytesEqual(header.nextValidatorsHash, header.validatorsHash)) this.#sets++;
    this.#trusted = {
      height: header.height,
      time: header.time,
      nextValidatorsHash: header.nextValidatorsHash,
    };
  }
}

async function fetchLightBlock(rpc: string, height: number): Promise<LightBlock> {
  const [commit, set] = await Promise.all([nodeGet(rpc, `commit?height=${height}`), setOf(rpc, height)]);
  return lightBlockFromJson({
    signed_header: at(commit, "signed_header"),
    validator_set: { validators: at(set, "validators") },
  });
}
