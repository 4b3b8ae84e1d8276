/**
 * Durable append (R20): a 256-byte WAL record, appended and synced, and the same followed by a sign-state slot, through
 * the writer thread and in line; idle, and with libuv's thread pool kept busy by hashing. `npm run bench:durability --
 * [--count 2000] [--dir DIR]`. Microseconds, p50 and p99; the four cases are interleaved in rounds of one run.
 */
import { pbkdf2 } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inlineDisk, openWal, threadDisk } from "@quorate/wal";
import { optionsOf } from "./support/options.ts";

const values = optionsOf("bench:durability", {
  count: { type: "string", default: "2000" },
  dir: { type: "string", default: tmpdir() },
});
const rounds = 10;
const perRound = Math.ceil(Number(values.count) / rounds);
const payload = new Uint8Array(256).fill(7);
const dir = await mkdtemp(join(values.dir, "quorate-durability-"));

const disks = { thread: threadDisk(), inline: inlineDisk() } as const;
const subjects = await Promise.all(
  (["thread", "inline"] as const).map(async (name) => {
    const wal = await openWal({ dir: join(dir, name), coreVersion: 1 }, disks[name]);
    const slot = join(dir, `${name}.slot`);
    await disks[name].create(slot, 8192);
    return { name, wal, slot, disk: disks[name] };
  }),
);

const samples = new Map<string, number[]>();
const note = (key: string, startedAt: number): void => {
  const list = samples.get(key) ?? [];
  list.push((performance.now() - startedAt) * 1000);
  samples.set(key, list);
};

for (let round = 0; round < rounds; round++) {
  for (const busy of [false, true]) {
    const pool = busy ? keepPoolBusy() : null;
    for (const { name, wal, slot, disk } of subjects) {
      for (let i = 0; i < perRound; i++) {
        let startedAt = performance.now();
        wal.append(1, payload);
        await wal.sync();
        note(`${name}, append + sync, ${busy ? "busy pool" : "idle"}`, startedAt);
        startedAt = performance.now();
        wal.append(1, payload);
        const logged = wal.sync();
        const signed = disk.write(slot, (i % 2) * 4096, payload).then(() => disk.fdatasync(slot));
        await Promise.all([logged, signed]);
        note(`${name}, append + sync + slot, ${busy ? "busy pool" : "idle"}`, startedAt);
      }
    }
    await pool?.stop();
  }
}

for (const [key, list] of samples) {
  const sorted = list.sort((a, b) => a - b);
  const at = (q: number): string =>
    (sorted[Math.floor(sorted.length * q)] ?? Number.NaN).toFixed(0).padStart(7);
  console.log(`${key.padEnd(44)} p50 ${at(0.5)} µs   p99 ${at(0.99)} µs`);
}
for (const { wal, disk } of subjects) {
  await wal.close();
  await disk.close();
}
await rm(dir, { recursive: true, force: true });

/** Eight hashes under way at any time on a pool of four threads. */
function keepPoolBusy(): { stop(): Promise<void> } {
  let stopped = false;
  let running = 0;
  const idle = Promise.withResolvers<void>();
  const one = (): void => {
    running++;
    pbkdf2("password", "salt", 20_000, 64, "sha512", (error) => {
      running--;
      if (error !== null) idle.reject(error);
      else if (!stopped) one();
      else if (running === 0) idle.resolve();
    });
  };
  for (let i = 0; i < 8; i++) one();
  return {
    stop: () => {
      stopped = true;
      return idle.promise;
    },
  };
}
