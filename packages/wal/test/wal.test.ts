import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  inlineDisk,
  inspectWal,
  MAX_PAYLOAD_BYTES,
  openWal,
  threadDisk,
  type Wal,
  type WalDisk,
  WalError,
} from "../src/index.ts";
import { collect } from "./enumerate.ts";
import { errno, FaultDisk } from "./fault-disk.ts";

const DIR = "/home/data/wal";

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof WalError && error.code === code;
}

async function temporary(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-wal-"));
  try {
    await run(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function contents(wal: Wal, from = 0n): Promise<string[]> {
  const records = await collect(wal.replay(from));
  return records.map(
    (record) => `${record.sequence}:${record.type}:${Buffer.from(record.payload).toString()}`,
  );
}

for (const [name, disk] of [
  ["the writer thread", threadDisk],
  ["the calling thread", inlineDisk],
] as const) {
  test(`records written through ${name} are there after reopening, with their sequence going on`, async () => {
    await temporary(async (dir) => {
      const used: WalDisk = disk();
      const wal = await openWal({ dir: join(dir, "wal"), coreVersion: 7, segmentBytes: 4096 }, used);
      assert.deepEqual(wal.condition, { kind: "clean" });
      for (let i = 0; i < 200; i++) {
        wal.append(i % 3, text(`record ${i}`));
        if (i % 7 === 0) await wal.sync();
      }
      await wal.close();
      const again = await openWal({ dir: join(dir, "wal"), coreVersion: 7, segmentBytes: 4096 }, used);
      assert.deepEqual(again.condition, { kind: "clean" });
      const all = await contents(again);
      assert.equal(all.length, 200);
      assert.equal(all[199], "200:1:record 199");
      assert.equal(again.append(0, text("next")).sequence, 201n);
      assert.deepEqual((await contents(again, 200n)).length, 2);
      await again.close();
      await used.close();
    });
  });
}

test("a log opened without a disk starts a writer thread of its own and ends it on close", async () => {
  await temporary(async (dir) => {
    const wal = await openWal({ dir, coreVersion: 1, segmentBytes: 4096 });
    wal.append(1, text("a"));
    await wal.sync();
    await wal.close();
    assert.throws(() => wal.append(1, text("b")), isCode("WAL_CLOSED"));
  });
});

test("segment files are preallocated: no record changes the size of its file", async () => {
  await temporary(async (dir) => {
    const disk = inlineDisk();
    const wal = await openWal({ dir, coreVersion: 1, segmentBytes: 8192 }, disk);
    wal.append(1, text("a"));
    await wal.sync();
    await wal.close();
    await disk.close();
    const [name] = await readdir(dir);
    assert.equal((await readFile(join(dir, name as string))).length, 8192);
  });
});

test("records appended in one turn share one write and one sync", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1 }, disk);
  const before = disk.operations;
  const syncs = [];
  for (let i = 0; i < 50; i++) {
    wal.append(1, text(`${i}`));
    syncs.push(wal.sync());
  }
  await Promise.all(syncs);
  assert.equal(disk.operations - before, 2);
});

test("records that come in during a sync go together with the next one", async () => {
  const disk = new FaultDisk();
  let finish: () => void = () => undefined;
  let syncing: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => {
    syncing = resolve;
  });
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const wal = await openWal({ dir: DIR, coreVersion: 1 }, disk);
  const fdatasync = disk.fdatasync.bind(disk);
  disk.fdatasync = async (file) => {
    syncing();
    await gate;
    await fdatasync(file);
  };
  wal.append(1, text("first"));
  const first = wal.sync();
  await reached;
  const others = [1, 2, 3].map((i) => {
    wal.append(1, text(`${i}`));
    return wal.sync();
  });
  const before = disk.operations;
  finish();
  await Promise.all([first, ...others]);
  assert.equal(disk.operations - before, 3, "the end of the first sync, one write, one sync");
});

test("what nobody waits for is not synced on its own when a sync has ended, and goes with the next one", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1 }, disk);
  wal.append(1, text("waited for"));
  const first = wal.sync();
  const fdatasync = disk.fdatasync.bind(disk);
  disk.fdatasync = (file) => {
    if (wal.backlogBytes === 0) wal.append(1, text("not waited for"));
    return fdatasync(file);
  };
  await first;
  disk.fdatasync = fdatasync;
  const before = disk.operations;
  assert.equal(wal.direct, true);
  await new Promise(setImmediate);
  assert.equal(disk.operations - before, 0);
  wal.append(1, text("waited for too"));
  await wal.sync();
  assert.equal(disk.operations - before, 2, "one write, one sync");
  await wal.close();
  const records: string[] = [];
  const reopened = await openWal({ dir: DIR, coreVersion: 1 }, disk);
  for await (const { payload } of reopened.replay(1n)) records.push(Buffer.from(payload).toString());
  assert.deepEqual(records, ["waited for", "not waited for", "waited for too"]);
});

test("a log is direct when a sync reaches the disk within its turn: not during a write, nor when a segment is due", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096 }, disk);
  assert.equal(wal.direct, true);
  wal.append(1, new Uint8Array(1000));
  assert.equal(wal.direct, true);
  const syncing = wal.sync();
  assert.equal(wal.direct, false, "a write is under way");
  await syncing;
  assert.equal(wal.direct, true);
  for (let i = 0; i < 4; i++) wal.append(1, new Uint8Array(1000));
  assert.equal(wal.direct, false, "a segment is due");
  await wal.sync();
  assert.equal(wal.direct, true);
});

test("sync without anything new does nothing", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1 }, disk);
  wal.append(1, text("a"));
  await wal.sync();
  const before = disk.operations;
  await wal.sync();
  assert.equal(disk.operations, before);
});

test("a segment begun by another version of the core tells its own version in replay", async () => {
  const disk = new FaultDisk();
  for (const coreVersion of [1, 2]) {
    const wal = await openWal({ dir: DIR, coreVersion }, disk);
    wal.append(1, text(`v${coreVersion}`));
    await wal.close();
  }
  const wal = await openWal({ dir: DIR, coreVersion: 2 }, disk);
  const records = await collect(wal.replay(0n));
  assert.deepEqual(
    records.map((record) => [record.sequence, record.coreVersion]),
    [
      [1n, 1],
      [2n, 2],
    ],
  );
});

test("lastOfType answers with the newest record of a type, also after a restart", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1 }, disk);
  for (const type of [1, 2, 1, 3]) wal.append(type, text("x"));
  assert.equal((await wal.lastOfType(1))?.sequence, 3n);
  assert.equal(await wal.lastOfType(9), null);
  await wal.close();
  const again = await openWal({ dir: DIR, coreVersion: 1 }, disk);
  assert.equal((await again.lastOfType(2))?.sequence, 2n);
});

test("pruning removes whole segments, oldest first, and never the record that the sign state depends on", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096 }, disk);
  const positions = [];
  for (let i = 0; i < 40; i++) {
    positions.push(wal.append(1, new Uint8Array(500)));
    await wal.sync();
  }
  const dependency = positions[9] as (typeof positions)[0];
  assert.ok((await wal.prune(40n, dependency)) > 0);
  const left = await collect(wal.replay(0n));
  assert.ok(left[0] !== undefined && left[0].sequence <= dependency.sequence);
  await wal.close();
  const again = await openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096, dependency }, disk);
  assert.equal(again.condition.kind, "clean");
  assert.equal(await again.prune(1000n, { sequence: 0n, crc: 0 }), 4);
  assert.ok((await collect(again.replay(0n))).length > 0, "the segment in use stays");
});

test("a record that the format cannot hold is refused and harms nothing", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1 }, disk);
  assert.throws(() => wal.append(256, text("")), isCode("WAL_RECORD"));
  assert.throws(() => wal.append(1, new Uint8Array(MAX_PAYLOAD_BYTES + 1)), isCode("WAL_RECORD"));
  assert.equal(wal.append(1, text("a")).sequence, 1n);
  await wal.sync();
});

test("a record larger than a segment gets a segment of its own", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096 }, disk);
  wal.append(1, new Uint8Array(10_000).fill(1));
  wal.append(1, text("after"));
  await wal.close();
  const again = await openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096 }, disk);
  assert.deepEqual(
    (await collect(again.replay(0n))).map((record) => record.payload.length),
    [10_000, 5],
  );
});

test("whichever write or sync fails, everything from there on is refused and nothing acknowledged is lost", async () => {
  for (let failing = 0; failing < 40; failing++) {
    for (const [code, expected] of [
      ["EIO", "WAL_IO"],
      ["ENOSPC", "WAL_FULL"],
    ] as const) {
      const disk = new FaultDisk();
      const wal = await openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096 }, disk);
      disk.failAt = { operation: disk.operations + failing, error: errno(code) };
      let acknowledged = 0;
      let refused: unknown = null;
      for (let i = 0; i < 30 && refused === null; i++) {
        try {
          wal.append(1, new Uint8Array(400).fill(i + 1));
          await wal.sync();
          acknowledged = i + 1;
        } catch (error) {
          refused = error;
        }
      }
      assert.ok(isCode(expected)(refused), `operation ${failing}`);
      await assert.rejects(wal.sync(), isCode(expected));
      assert.throws(() => wal.append(1, text("x")), isCode(expected));
      await wal.close();
      const lost = disk.afterPowerLoss(() => false);
      const again = await openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096 }, lost);
      assert.equal((await collect(again.replay(0n))).length, acknowledged);
    }
  }
});

test("regression: a disk fault while the next segment is made ahead ends the log at once; only a shortage may pass", async () => {
  for (const code of ["EIO", "EROFS", "ENOSPC", "EMFILE"]) {
    const disk = new FaultDisk();
    const told: string[] = [];
    const onFailure = (error: WalError): void => void told.push(error.code);
    const wal = await openWal({ dir: DIR, segmentBytes: 4096, coreVersion: 1, onFailure }, disk);
    disk.failCreate = errno(code);
    wal.append(1, new Uint8Array(3000));
    await wal.sync();
    await new Promise((resolve) => setImmediate(resolve));
    const passes = code === "ENOSPC" || code === "EMFILE";
    assert.deepEqual(told, passes ? [] : ["WAL_IO"], code);
    disk.failCreate = null;
    if (!passes) assert.throws(() => wal.append(1, new Uint8Array(1)), { code: "WAL_IO" });
    else {
      wal.append(1, new Uint8Array(3000));
      await wal.sync();
    }
    await wal.close();
  }
});

test("a disk too full for the next segment fails when that segment is needed", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096 }, disk);
  disk.failCreate = errno("ENOSPC");
  for (let i = 0; i < 7; i++) wal.append(1, new Uint8Array(500));
  await wal.sync();
  wal.append(1, new Uint8Array(1000));
  await assert.rejects(wal.sync(), isCode("WAL_FULL"));
});

test("inspection shows records and condition and changes no byte", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, coreVersion: 4, segmentBytes: 4096 }, disk);
  for (let i = 0; i < 20; i++) wal.append(i, new Uint8Array(500).fill(1));
  await wal.close();
  const [first] = disk.files() as [string];
  disk.content(first)[2000] = 0xff;
  const before = disk.files().map((file) => Buffer.from(disk.content(file)).toString("hex"));
  const inspection = await inspectWal(DIR, { disk });
  assert.equal(inspection.verdict.kind, "damaged");
  const records = await collect(inspection.records());
  assert.deepEqual(
    records.map((record) => [record.sequence, record.type, record.coreVersion, record.offset]),
    [
      [1n, 0, 4, 32],
      [2n, 1, 4, 554],
      [3n, 2, 4, 1076],
    ],
  );
  assert.deepEqual(
    disk.files().map((file) => Buffer.from(disk.content(file)).toString("hex")),
    before,
  );
});

test("the log behaves as a list of records under any order of appends, syncs, replays, prunings and restarts", async () => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("append" as const), size: fc.nat(1500) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("sync" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("prune" as const), share: fc.nat(100) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60, size: "max" }), async (actions) => {
      let disk = new FaultDisk();
      const open = () => openWal({ dir: DIR, coreVersion: 1, segmentBytes: 4096 }, disk);
      let wal = await open();
      let model: { sequence: bigint; size: number }[] = [];
      let synced = 0n;
      for (const step of actions) {
        if (step.do === "append") {
          const { sequence } = wal.append(1, new Uint8Array(step.size).fill(7));
          model.push({ sequence, size: step.size });
        } else if (step.do === "sync") {
          await wal.sync();
          synced = wal.position.sequence;
        } else if (step.do === "restart") {
          await wal.close();
          wal = await open();
          synced = wal.position.sequence;
        } else if (step.do === "crash") {
          disk = disk.afterPowerLoss(() => false);
          wal = await open();
          assert.ok(wal.position.sequence >= synced);
          model = model.filter((record) => record.sequence <= wal.position.sequence);
        } else {
          const before = (wal.position.sequence * BigInt(step.share)) / 100n;
          await wal.prune(before, { sequence: 0n, crc: 0 });
          const left = await collect(wal.replay(0n));
          synced = wal.position.sequence;
          const gone = model.filter((record) => record.sequence < (left[0]?.sequence ?? 0n));
          assert.ok(gone.every((record) => record.sequence < before));
          model = model.slice(gone.length);
        }
      }
      const records = await collect(wal.replay(0n));
      assert.deepEqual(
        records.map((record) => [record.sequence, record.payload.length]),
        model.map((record) => [record.sequence, record.size]),
      );
    }),
    { numRuns: 60 },
  );
});

test("regression: the last write of the log is written and synced anew at opening, as its sync may have failed", async () => {
  const disk = new FaultDisk();
  const options = { dir: DIR, coreVersion: 1, segmentBytes: 4096 };
  const wal = await openWal(options, disk);
  wal.append(1, text("synced"));
  await wal.sync();
  wal.append(1, text("in the page cache alone"));
  await wal.sync();
  const [file] = disk.files();
  assert.ok(file !== undefined);
  const written: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  let synced = 0;
  const watched = disk.clone();
  const write = watched.write.bind(watched);
  watched.write = (name, offset, bytes) => {
    written.push({ offset, bytes });
    return write(name, offset, bytes);
  };
  watched.fdatasync = async () => void synced++;
  await openWal(options, watched);
  assert.equal(written.length, 1);
  assert.equal(synced, 1);
  const [last] = written;
  assert.ok(last !== undefined);
  assert.match(Buffer.from(last.bytes).toString("latin1"), /page cache alone/);
  // What an earlier sync covered is not written again: the group before it is known to be on disk.
  assert.doesNotMatch(Buffer.from(last.bytes).toString("latin1"), /synced/);
  assert.deepEqual(disk.content(file).slice(last.offset, last.offset + last.bytes.length), last.bytes);
});
