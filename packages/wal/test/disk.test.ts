import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
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

test("a failure behind a batch that is being answered is not lost: its own batch answers it", async () => {
  await withDisk(threadDisk, async (disk, dir) => {
    await disk.create(join(dir, "a"), 16);
    const first = disk.write(join(dir, "a"), 0, text("x"));
    await new Promise((resolve) => process.nextTick(resolve));
    const failing = disk.write(join(dir, "missing"), 0, text("x"));
    // What does not write is still done, and keeps the second batch under way while the first is answered.
    const slow = Array.from({ length: 50 }, (_, i) =>
      disk.rename(join(dir, i % 2 === 0 ? "a" : "b"), join(dir, i % 2 === 0 ? "b" : "a")),
    );
    await first;
    await assert.rejects(failing, { code: "ENOENT" });
    await Promise.all(slow);
  });
});

test("data larger than the memory that the threads share is written whole, in its turn", async () => {
  await withDisk(threadDisk, async (disk, dir) => {
    const file = join(dir, "a");
    await disk.create(file, 4);
    const sizes = [1, 40_000, 3, 1_000_000, 32_768, 5, 32_769, 300_000];
    let at = 0;
    const written = sizes.map((size, index) => {
      const bytes = new Uint8Array(size).fill(index + 1);
      const done = disk.write(file, at, bytes);
      bytes.fill(99);
      at += size;
      return done;
    });
    await Promise.all(written);
    const content = await readFile(file);
    assert.equal(content.length, at);
    let from = 0;
    for (const [index, size] of sizes.entries()) {
      assert.ok(
        content.subarray(from, from + size).every((byte) => byte === index + 1),
        `write ${index}`,
      );
      from += size;
    }
  });
});

test("what is asked for beyond the room of the shared memory waits for it and keeps its order", async () => {
  await withDisk(threadDisk, async (disk, dir) => {
    const file = join(dir, "a");
    await disk.create(file, 4);
    const done: Promise<void>[] = [];
    for (let i = 0; i < 100; i++) {
      const bytes = new Uint8Array(30_000).fill(i);
      done.push(disk.write(file, i * 10_000, bytes));
      bytes.fill(255);
    }
    await Promise.all(done);
    const content = await readFile(file);
    assert.equal(content.length, 99 * 10_000 + 30_000);
    for (let i = 0; i < 100; i++) assert.equal(content[i * 10_000], i);
    await disk.truncate(file, 10_000);
    assert.deepEqual(await readFile(file), Buffer.alloc(10_000));
  });
});

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

test("bytes given to the writer thread are written whole and in order, long ones without a copy", async () => {
  await withDisk(threadDisk, async (disk, dir) => {
    const file = join(dir, "a");
    await disk.create(file, 100_000);
    const [long, short, part] = [50_000, 100, 20_000].map((size, index) =>
      new Uint8Array(size).fill(index + 1),
    ) as [Uint8Array, Uint8Array, Uint8Array];
    const done = [
      disk.give?.(file, 0, long),
      disk.give?.(file, 40_000, short),
      disk.give?.(file, 60_000, part.subarray(5_000)),
      disk.write(file, 60_000, short),
    ];
    assert.equal(done.length, 4);
    await Promise.all(done);
    assert.deepEqual([long.length, short.length, part.length], [0, 100, 20_000]);
    const written = await readFile(file);
    const counts = [0, 1, 2, 3].map((value) => written.filter((byte) => byte === value).length);
    assert.deepEqual(counts, [100_000 - 50_000 - 15_000, 49_900, 200, 14_900]);
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

for (const [name, make] of [
  ["writer thread", threadDisk],
  ["calling thread", inlineDisk],
] as const) {
  test(`on the ${name} a file is cut to a length, and what cannot be listed is an error`, async () => {
    await withDisk(make, async (disk, dir) => {
      const file = join(dir, "a");
      await disk.create(file, 16);
      await disk.write(file, 0, text("0123456789"));
      await disk.truncate(file, 4);
      assert.equal((await readFile(file)).toString(), "0123");
      await assert.rejects(disk.list(file), { code: "ENOTDIR" });
    });
  });
}

test("a log of its own thread that cannot be opened ends the thread with it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quorate-disk-"));
  try {
    await writeFile(join(dir, "wal"), "no directory");
    await assert.rejects(openWal({ dir: join(dir, "wal"), coreVersion: 1 }), WalError);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("more operations than the writer thread may have waiting are refused, not kept", async () => {
  await withDisk(threadDisk, async (disk, dir) => {
    const file = join(dir, "a");
    await disk.create(file, 16);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5_000 }, () => disk.write(file, 0, text("x"))),
    );
    const refused = outcomes.filter(({ status }) => status === "rejected").length;
    assert.equal(refused, 5_000 - 4_096);
    await disk.write(file, 0, text("y"));
    assert.equal((await readFile(file)).subarray(0, 1).toString(), "y");
  });
});

test("a disk that has stopped taking writes fails the log once too much waits, with what waits", async () => {
  const gate = Promise.withResolvers<void>();
  const disk = inlineDisk();
  const dir = await mkdtemp(join(tmpdir(), "quorate-disk-"));
  const stuck: WalDisk = {
    list: (where) => disk.list(where),
    read: (file) => disk.read(file),
    create: (file, size) => disk.create(file, size),
    fdatasync: (file) => gate.promise.then(() => disk.fdatasync(file)),
    truncate: (file, size) => disk.truncate(file, size),
    rename: (from, to) => disk.rename(from, to),
    remove: (file) => disk.remove(file),
    write: (file, offset, bytes) => gate.promise.then(() => disk.write(file, offset, bytes)),
    close: () => disk.close(),
  };
  try {
    // The log's own first writes go through: the gate closes behind the opening.
    gate.resolve();
    const wal = await openWal({ dir, coreVersion: 1 }, stuck);
    const closed = Promise.withResolvers<void>();
    stuck.write = () => closed.promise;
    stuck.fdatasync = () => closed.promise;
    const payload = new Uint8Array(1_000_000);
    let told: unknown = null;
    let waited = 0;
    for (let i = 0; i < 400 && told === null; i++) {
      try {
        wal.append(1, payload);
        wal.sync().catch(() => undefined);
        waited = wal.backlogBytes;
      } catch (error) {
        told = error;
      }
    }
    assert.ok(told instanceof WalError && told.code === "WAL_BACKLOG", String(told));
    assert.ok(Number(told.facts["bytes"]) > 1_000_000 && waited > 1_000_000);
    assert.throws(() => wal.append(1, new Uint8Array(1)), WalError);
    closed.resolve();
    await wal.close().catch(() => undefined);
  } finally {
    await disk.close();
    await rm(dir, { recursive: true });
  }
});

test("a log whose first segments are gone lacks the record that the sign state depends on: it says where it begins", async () => {
  await withDisk(inlineDisk, async (disk, dir) => {
    const options = { dir, coreVersion: 1, segmentBytes: 4096 };
    const wal = await openWal(options, disk);
    const first = wal.append(1, new Uint8Array(1000));
    for (let i = 0; i < 20; i++) {
      wal.append(1, new Uint8Array(1000));
      await wal.sync();
    }
    await wal.close();
    const [oldest] = (await readdir(dir)).toSorted();
    await rm(join(dir, oldest!));
    const again = await openWal({ ...options, dependency: first }, disk);
    assert.equal(again.condition.kind, "damaged");
    assert.match(JSON.stringify(again.condition), /depends on record 1, but the log begins at record \d+/);
    await again.close();
  });
});
