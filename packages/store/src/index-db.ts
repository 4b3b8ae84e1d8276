import { ClassicLevel } from "classic-level";
import { storageError } from "./errors.ts";

/** One change of a write. */
export type Operation =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

export interface Range {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/**
 * What the store keeps its small values in: a port, so that a test can lose what was not synced. A write is taken whole or
 * not at all, and none without all that came before it.
 */
export interface Index {
  get(key: Uint8Array): Promise<Uint8Array | null>;
  /** Entries of a range, at most `limit`; read as one, so the range must be small or limited. */
  entries(range: Range): Promise<[Uint8Array, Uint8Array][]>;
  write(operations: Operation[], options: { readonly sync: boolean }): Promise<void>;
  close(): Promise<void>;
}

export function put(key: Uint8Array, value: Uint8Array): Operation {
  return { type: "put", key, value };
}

export function del(key: Uint8Array): Operation {
  return { type: "del", key };
}

/** LevelDB with byte keys and values, its errors told as ours. */
export class IndexDb implements Index {
  readonly #db: ClassicLevel<Uint8Array, Uint8Array>;
  readonly #location: string;

  private constructor(location: string) {
    this.#location = location;
    this.#db = new ClassicLevel<Uint8Array, Uint8Array>(location, {
      keyEncoding: "view",
      valueEncoding: "view",
      // Values are small: two buffers of this size hold hundreds of heights, and their memory counts for every node.
      writeBufferSize: 2 * 1024 * 1024,
      cacheSize: 4 * 1024 * 1024,
      maxOpenFiles: 128,
    });
  }

  /** @throws StoreError `STORE_LOCKED`, `STORE_CORRUPT`, `STORE_IO`, `STORE_FULL`. */
  static async open(location: string): Promise<IndexDb> {
    const index = new IndexDb(location);
    await index.#attempt("open", () => index.#db.open());
    return index;
  }

  async get(key: Uint8Array): Promise<Uint8Array | null> {
    return (await this.#attempt("read", () => this.#db.get(key))) ?? null;
  }

  entries(range: Range): Promise<[Uint8Array, Uint8Array][]> {
    return this.#attempt("read", () => this.#db.iterator(range).all());
  }

  write(operations: Operation[], options: { readonly sync: boolean }): Promise<void> {
    return this.#attempt("write", () => this.#db.batch(operations, options));
  }

  close(): Promise<void> {
    return this.#attempt("close", () => this.#db.close());
  }

  async #attempt<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storageError(action, this.#location, error);
    }
  }
}
