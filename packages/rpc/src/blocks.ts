/** Reading blocks for RPC: heights as CometBFT resolves them, and a small cache of what status pages ask for. */
import type { BlockMetaJson, Commit, Header, Height } from "@quorate/chain";
import { blockMetaJson } from "@quorate/chain";
import { CallError, RpcCode } from "./errors.ts";
import { META_CACHE } from "./limits.ts";
import type { RpcView } from "./types.ts";

/** What RPC keeps of a decided block: decided blocks never change. */
export interface Meta {
  readonly header: Header;
  readonly blockHash: Uint8Array;
  readonly json: BlockMetaJson;
}

export class BlockReader {
  readonly #view: RpcView;
  readonly #metas: Map<Height, Meta> = new Map();

  constructor(view: RpcView) {
    this.#view = view;
  }

  /**
   * The height that a call means: `asked`, or the latest. The texts are those that CometBFT's light client matches.
   * @throws CallError for a height that is not here.
   */
  resolve(asked: number | null, latest: Height): Height {
    const height = asked ?? latest;
    if (asked !== null && asked <= 0) {
      throw new CallError(RpcCode.internal, `height must be greater than 0, but got ${asked}`);
    }
    if (height > latest || height <= 0) {
      throw new CallError(
        RpcCode.internal,
        `height ${Math.max(1, height)} must be less than or equal to the current blockchain height ${latest}`,
      );
    }
    if (height < this.#view.base) throw this.#pruned(height);
    return height;
  }

  async meta(height: Height): Promise<Meta> {
    const known = this.#metas.get(height);
    if (known !== undefined) return known;
    const stored = await this.block(height);
    const meta: Meta = {
      header: stored.block.header,
      blockHash: stored.blockId.hash,
      json: blockMetaJson(stored.block, stored.blockId, stored.bytes),
    };
    this.#metas.set(height, meta);
    const oldest = this.#metas.keys().next();
    if (this.#metas.size > META_CACHE && oldest.done !== true) this.#metas.delete(oldest.value);
    return meta;
  }

  async block(height: Height): Promise<NonNullable<Awaited<ReturnType<RpcView["block"]>>>> {
    const stored = await this.#view.block(height);
    if (stored === null) throw this.#pruned(height);
    return stored;
  }

  async commit(height: Height): Promise<{ readonly commit: Commit; readonly canonical: boolean }> {
    const stored = await this.#view.commit(height);
    if (stored === null) throw this.#pruned(height);
    return stored;
  }

  /** The words for a height that was here or never will be; the light client turns to another provider. */
  #pruned(height: Height): CallError {
    return new CallError(
      RpcCode.internal,
      `height ${height} is not available, lowest height is ${this.#view.base}`,
    );
  }
}
