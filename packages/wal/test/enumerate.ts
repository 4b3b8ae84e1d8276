import { openWal, type WalCondition, type WalPosition, type WalRecord } from "../src/index.ts";
import type { FaultDisk } from "./fault-disk.ts";

/** A log to be damaged: its disk, what was written, and the position that the sign state depends on. */
export interface Specimen {
  readonly disk: FaultDisk;
  readonly dir: string;
  readonly segmentBytes: number;
  readonly records: readonly WalRecord[];
  readonly dependency: WalPosition;
}

/** What opening a damaged copy gave. */
export interface Outcome {
  readonly condition: WalCondition;
  readonly position: WalPosition;
  readonly replayed: readonly WalRecord[];
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function reopen(specimen: Specimen, disk: FaultDisk): Promise<Outcome> {
  const { dir, segmentBytes, dependency } = specimen;
  const wal = await openWal({ dir, segmentBytes, dependency, coreVersion: 1 }, disk);
  const replayed = await collect(wal.replay(0n));
  const { condition, position } = wal;
  await wal.close();
  return { condition, position, replayed };
}

/** Opens a copy for every single flipped bit of every file. `step` > 1 samples. */
export async function* everyBitFlip(
  specimen: Specimen,
  step: number | ((bit: number) => number) = 1,
): AsyncGenerator<Outcome & { readonly file: string; readonly bit: number }> {
  for (const file of specimen.disk.files()) {
    const bits = specimen.disk.content(file).length * 8;
    for (let bit = 0; bit < bits; bit += typeof step === "number" ? step : step(bit)) {
      const disk = specimen.disk.clone();
      const content = disk.content(file);
      content[bit >> 3] = (content[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      yield { file, bit, ...(await reopen(specimen, disk)) };
    }
  }
}

/** Opens a copy for every length that every file can be cut to. */
export async function* everyTruncation(
  specimen: Specimen,
  step = 1,
): AsyncGenerator<Outcome & { readonly file: string; readonly length: number }> {
  for (const file of specimen.disk.files()) {
    const whole = specimen.disk.content(file);
    for (let length = 0; length < whole.length; length += step) {
      const disk = specimen.disk.clone();
      disk.put(file, whole.subarray(0, length));
      yield { file, length, ...(await reopen(specimen, disk)) };
    }
  }
}
