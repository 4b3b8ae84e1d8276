import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inlineDisk, openWal, threadDisk, type WalDisk, WalError } from "../src/index.ts";

async function withDisk(
  make: () => WalDisk,
  run: (disk: WalDisk, dir: string) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-disk-"));
  const disk = make();
  try {
    await run(disk, dir);
  } finally {
    await disk.close();
    await rm(dir, { recursive: true });
  }
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

for (const [name, make] of [
  ["writer thread", threadDisk],
  ["calling thread", inlineDisk],
] as const) {
  test(`on the ${name} operations take effect in the order of the calls`, async () => {
    await withDisk(make, async (disk, dir) => {
      const file = join(dir, "sub", "a");
      await disk.create(file, 16);
      const done = [];
      for (let i = 0; i < 100; i++)
        done.push(disk.write(file, i % 4, text(String(i % 10))), disk.fdatasync(file));
      await Promise.all(done);
      assert.equal((await readFile(file)).subarray(0, 4).toString(), "6789");
    });
  });

  test(`on the ${name} a failed write makes every later write and sync fail with its errno`, async () => {
    await withDisk(make, async (disk, dir) => {
      const file = join(dir, "a");
      await disk.create(file, 16);
      const hasCode = (error: unknown): boolean =>
        error instanceof Error && "code" in error && error.code === "ENOENT";
      const failed = disk.write(join(dir, "missing"), 0, text("x"));
      const behind = disk.write(file, 0, text("x"));
      await assert.rejects(failed, hasCode);
      await assert.rejects(behind, hasCode, "nothing overtakes a failure");
      await assert.rejects(disk.fdatasync(file), hasCode);
      assert.deepEqual([...(await disk.read(file))], new Array(16).fill(0));
    });
  });

  test(`on the ${name} files can be renamed, removed and listed, and a missing directory lists as empty`, async () => {
    await withDisk(make, async (disk, dir) => {
      await disk.create(join(dir, "a"), 1);
      await disk.create(join(dir, "b"), 1);
      await disk.write(join(dir, "a"), 0, text("a"));
      await disk.rename(join(dir, "a"), join(dir, "c"));
      await disk.remove(join(dir, "b"));
      assert.deepEqual(await disk.list(dir), ["c"]);
      assert.deepEqual(await readdir(dir), ["c"]);
      assert.deepEqual(await disk.list(join(dir, "none")), []);
    });
  });
}

test("a view into a larger buffer is written alone and may be reused by the caller at once", async () => {
  await withDisk(threadDisk, async (disk, dir) => {
    const file = join(dir, "a");
    await disk.create(file, 4);
    const large = new Uint8Array(1024).fill(7);
    const part = large.subarray(100, 104);
    const written = disk.write(file, 0, part);
    large.fill(0);
    await written;
    assert.deepEqual([...(await readFile(file))], [7, 7, 7, 7]);
  });
});

test("operations after closing the writer thread are refused, and the log above reports them", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quorate-disk-"));
  const disk = threadDisk();
  const wal = await openWal({ dir, coreVersion: 1, segmentBytes: 4096 }, disk);
  await disk.close();
  wal.append(1, text("a"));
  await assert.rejects(wal.sync(), (error: unknown) => error instanceof WalError && error.code === "WAL_IO");
  await wal.close();
  await rm(dir, { recursive: true });
});
