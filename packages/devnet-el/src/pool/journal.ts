import { once } from "node:events";
import { createReadStream, createWriteStream, existsSync, renameSync, type WriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { DevnetElError, RpcError, reasonOf } from "../errors.ts";
import { fromHex, toHex } from "../hex.ts";
import type { TxPool } from "./pool.ts";
import { MAX_TRANSACTION_BYTES } from "./rules.ts";

/** Lines written since the last rewrite after which the file is rewritten with what the pool still holds. */
const REWRITE_AFTER = 20_000;

/**
 * Keeps the pool's transactions over a restart: one line of hex each, appended as they come and rewritten when most of
 * it is old. It is not synced; a torn or unknown line is skipped, as a lost transaction is only sent again.
 */
export class PoolJournal {
  private readonly path: string;
  private readonly pool: TxPool;
  private stream: WriteStream;
  private lines = 0;
  private rewriting: Promise<void> = Promise.resolve();
  private readonly stop: () => void;

  private constructor(path: string, pool: TxPool, stream: WriteStream) {
    this.path = path;
    this.pool = pool;
    this.stream = stream;
    this.stop = pool.subscribe((entry) => this.append(toHex(entry.transaction.serialize())));
  }

  /** Gives the pool what the file holds and follows it from then on. Throws DevnetElError STORE. */
  static async open(path: string, pool: TxPool): Promise<PoolJournal> {
    if (existsSync(path)) {
      const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
      for await (const line of lines) {
        if (line.length > 2 * MAX_TRANSACTION_BYTES + 2 || !/^0x([0-9a-f]{2})+$/.test(line)) continue;
        try {
          await pool.add(fromHex(line));
        } catch (thrown) {
          if (!(thrown instanceof RpcError)) throw thrown;
        }
      }
    }
    const journal = new PoolJournal(path, pool, await PoolJournal.rewrite(path, pool));
    journal.lines = pool.size;
    return journal;
  }

  private static async rewrite(path: string, pool: TxPool): Promise<WriteStream> {
    const stream = createWriteStream(`${path}.new`);
    try {
      await once(stream, "open");
      for (const entry of pool.all()) {
        if (!stream.write(`${toHex(entry.transaction.serialize())}\n`)) await once(stream, "drain");
      }
      renameSync(`${path}.new`, path);
    } catch (thrown) {
      throw new DevnetElError("STORE", `cannot write ${path}: ${reasonOf(thrown)}`, { path });
    }
    // Losing the journal loses no promise: what fails to be appended is sent again by whoever misses it.
    stream.on("error", () => undefined);
    return stream;
  }

  private append(line: string): void {
    this.stream.write(`${line}\n`);
    this.lines += 1;
    if (this.lines < REWRITE_AFTER + this.pool.size) return;
    this.lines = 0;
    this.rewriting = PoolJournal.rewrite(this.path, this.pool).then(
      (stream) => {
        this.stream.end();
        this.stream = stream;
      },
      () => undefined,
    );
  }

  async close(): Promise<void> {
    this.stop();
    await this.rewriting;
    await new Promise<void>((resolve) => this.stream.end(() => resolve()));
  }
}
