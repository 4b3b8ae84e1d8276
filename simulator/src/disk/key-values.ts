/**
 * What LevelDB promises of a directory: a write is all or nothing; a synced one makes every write before it durable; of
 * unsynced ones a power loss leaves the first so many.
 */
import { type Index, type IndexOperation, type IndexRange, StoreError } from "@quorate/store";
import type { Machine } from "../core/machine.ts";
import type { Random } from "../core/random.ts";
import type { Disk } from "./disk.ts";
import type { Survival } from "./file-system.ts";

type Table = Map<string, Uint8Array>;

export class KeyValueFiles {
  #current: Table = new Map();
  #durable: Table = new Map();
  #unsynced: (readonly IndexOperation[])[] = [];
  /** Damaged: it does not open until it is made anew. */
  corrupt = false;

  get(key: Uint8Array): Uint8Array | null {
    return this.#current.get(textOf(key))?.slice() ?? null;
  }

  entries({ gte, lt, reverse, limit }: IndexRange): [Uint8Array, Uint8Array][] {
    const [from, to] = [textOf(gte), textOf(lt)];
    const keys = [...this.#current.keys()].filter((key) => key >= from && key < to).sort();
    if (reverse === true) keys.reverse();
    return keys
      .slice(0, limit ?? keys.length)
      .map((key) => [bytesOf(key), (this.#current.get(key) as Uint8Array).slice()]);
  }

  write(operations: readonly IndexOperation[], sync: boolean): void {
    apply(this.#current, operations);
    this.#unsynced.push(operations);
    if (sync) this.#keep(this.#unsynced.length);
  }

  crash(survival: Survival, random: Random): void {
    const { length } = this.#unsynced;
    this.#keep(survival === "none" ? 0 : survival === "all" ? length : random.between(0, length));
    this.#unsynced = [];
    this.#current = new Map(this.#durable);
  }

  /** Nothing is left. */
  clear(): void {
    this.#current = new Map();
    this.#durable = new Map();
    this.#unsynced = [];
    this.corrupt = false;
  }

  #keep(count: number): void {
    for (const operations of this.#unsynced.slice(0, count)) apply(this.#durable, operations);
    this.#unsynced = this.#unsynced.slice(count);
  }
}

function apply(table: Table, operations: readonly IndexOperation[]): void {
  for (const operation of operations) {
    if (operation.type === "put") table.set(textOf(operation.key), operation.value.slice());
    else table.delete(textOf(operation.key));
  }
}

const textOf = (key: Uint8Array): string => Buffer.from(key).toString("latin1");
const bytesOf = (key: string): Uint8Array => new Uint8Array(Buffer.from(key, "latin1"));

/** The index of a process's store on its machine's disk. `watch` is told of every write before it takes effect. */
export function indexOn(disk: Disk, machine: Machine, watch: (sync: boolean) => void): Index {
  const { keyValues } = disk;
  let tail: Promise<void> = Promise.resolve();
  const refused = (): StoreError =>
    new StoreError("STORE_CORRUPT", "the index is damaged: corruption of a table");
  const read = <T>(work: () => T): Promise<T> =>
    machine.later(disk.writeMs() / 4, () => {
      if (keyValues.corrupt) throw refused();
      return work();
    });
  return {
    get: (key) => read(() => keyValues.get(key)),
    entries: (range) => read(() => keyValues.entries(range)),
    write(operations, { sync }) {
      const copy = operations.map((operation) => ({ ...operation }));
      const turn = tail.then(async () => {
        await machine.sleep(sync ? disk.syncMs() : disk.writeMs());
        watch(sync);
        if (machine.dead) return;
        const fault = disk.files.fault(sync ? "sync" : "write", "db");
        if (fault !== null) {
          throw new StoreError(
            fault.code === "ENOSPC" ? "STORE_FULL" : "STORE_IO",
            `cannot write the index: ${fault.code}`,
          );
        }
        keyValues.write(copy, sync);
      });
      tail = turn.catch(() => undefined);
      return turn;
    },
    close: () => tail,
  };
}
