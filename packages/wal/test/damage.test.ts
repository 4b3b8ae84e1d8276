import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeRecord, follows, HEADER_BYTES, readRecord } from "../src/format.ts";
import { openWal, type WalPosition, type WalRecord } from "../src/index.ts";
import { collect, everyBitFlip, everyTruncation, type Outcome, reopen, type Specimen } from "./enumerate.ts";
import { FaultDisk } from "./fault-disk.ts";

const DIR = "/home/data/wal";

/** Three heights in small segments; every record synced by itself unless `group` gives the size of a write. */
async function specimen(options: {
  count: number;
  payload: number;
  depends: number;
  group?: number;
  shift?: number;
}) {
  const disk = new FaultDisk();
  const segmentBytes = 4096;
  const wal = await openWal({ dir: DIR, segmentBytes, coreVersion: 1 }, disk);
  let dependency: WalPosition = wal.position;
  for (let i = 0; i < options.count; i++) {
    const payload = Uint8Array.from(
      { length: options.payload },
      (_, at) => 1 + (((options.shift ?? 0) + i * 31 + at * 7) % 255),
    );
    const position = wal.append(i % 5, payload);
    if ((i + 1) % (options.group ?? 1) === 0) await wal.sync();
    if (i + 1 === options.depends) dependency = position;
  }
  await wal.sync();
  const records = await collect(wal.replay(0n));
  await wal.close();
  return { disk, dir: DIR, segmentBytes, records, dependency } satisfies Specimen;
}

function key(record: WalRecord): string {
  return `${record.sequence}/${record.type}/${record.crc}/${Buffer.from(record.payload).toString("hex")}`;
}

/** What no damage whatever may do: invent a record, reorder, or lose one that a signature depended on unnoticed. */
function assertSound(from: Specimen, outcome: Outcome, where: string): void {
  const { condition, replayed, position } = outcome;
  if (condition.kind === "damaged") {
    assert.equal(replayed.length, 0, `${where}: a new log is empty`);
    assert.deepEqual(position, from.dependency, `${where}: and goes on behind the sign state's record`);
    return;
  }
  const prefix = from.records.slice(0, replayed.length);
  assert.deepEqual(replayed.map(key), prefix.map(key), `${where}: what is replayed is what was written`);
  assert.ok(BigInt(replayed.length) >= from.dependency.sequence, `${where}: nothing depended on is missing`);
  if (replayed.length < from.records.length && condition.kind === "clean") {
    // Only a cut exactly between two records looks clean.
    assert.match(where, /cut/, `${where}: a loss is reported`);
  }
}

test("every flipped bit of a log is detected or lies in dead space, and damage in the middle is never a torn tail", async () => {
  const from = await specimen({ count: 11, payload: 40, depends: 11 });
  const bitsUsed = (32 + 11 * 62) * 8;
  // Of the zeros behind, one bit in seven is like the others.
  const step = (bit: number): number => (bit < bitsUsed + 512 ? 1 : 7);
  const kinds = { clean: 0, torn: 0, damaged: 0 };
  for await (const outcome of everyBitFlip(from, step)) {
    assertSound(from, outcome, `bit ${outcome.bit} of ${outcome.file}`);
    assert.equal(outcome.condition.kind, outcome.bit < bitsUsed ? "damaged" : "torn");
    kinds[outcome.condition.kind]++;
  }
  assert.equal(kinds.damaged, bitsUsed);
  assert.ok(kinds.torn > 512);
});

test("a flipped bit in the last record is a torn tail as long as no signature depends on that record", async () => {
  const from = await specimen({ count: 3, payload: 20, depends: 2 });
  const lastBegins = 32 + 2 * 42;
  for await (const outcome of everyBitFlip(from, 5)) {
    assertSound(from, outcome, `bit ${outcome.bit}`);
    const byte = outcome.bit >> 3;
    assert.equal(outcome.condition.kind, byte < lastBegins ? "damaged" : "torn", `byte ${byte}`);
    if (byte >= lastBegins) assert.equal(outcome.replayed.length, byte < lastBegins + 42 ? 2 : 3);
  }
});

test("a flipped bit anywhere in a log of several segments is detected or lies in dead space", async () => {
  const from = await specimen({ count: 24, payload: 500, depends: 24 });
  assert.ok(from.disk.files().length >= 3);
  for await (const outcome of everyBitFlip(from, 37)) {
    assertSound(from, outcome, `bit ${outcome.bit} of ${outcome.file}`);
  }
});

test("a log cut at any byte loses nothing that was depended on without saying so", async () => {
  for (const depends of [0, 5, 11]) {
    const from = await specimen({ count: 11, payload: 40, depends });
    for await (const outcome of everyTruncation(from)) {
      assertSound(from, outcome, `cut to ${outcome.length}`);
      const whole = Math.min(11, Math.max(0, Math.floor((outcome.length - 32) / 62)));
      const expected = outcome.length < 32 ? 0 : whole;
      if (expected < depends) assert.equal(outcome.condition.kind, "damaged", `cut to ${outcome.length}`);
      else assert.equal(outcome.replayed.length, expected, `cut to ${outcome.length}`);
    }
  }
});

test("a segment that is missing in the middle is damage", async () => {
  const from = await specimen({ count: 24, payload: 500, depends: 0 });
  const [, second] = from.disk.files();
  const disk = from.disk.clone();
  await disk.remove(second as string);
  const outcome = await reopen(from, disk);
  assert.equal(outcome.condition.kind, "damaged");
});

test("a segment that is empty before others is damage, cut to nothing or full of zeros, and named", async () => {
  const from = await specimen({ count: 24, payload: 500, depends: 0 });
  const [first, second] = from.disk.files() as [string, string];
  for (const file of [first, second]) {
    for (const blank of [new Uint8Array(0), new Uint8Array(from.disk.content(file).length)]) {
      const disk = from.disk.clone();
      disk.put(file, blank);
      const { condition, replayed } = await reopen(from, disk);
      assert.ok(condition.kind === "damaged", `${file} of ${blank.length} bytes: ${condition.kind}`);
      assert.match(condition.reason, /a segment in the middle is empty/);
      assert.equal(condition.file, file);
      assert.equal(replayed.length, 0);
    }
  }
});

test("a damaged log is set aside whole, and its successor is found again at the next start", async () => {
  const from = await specimen({ count: 24, payload: 500, depends: 20 });
  const disk = from.disk.clone();
  const [first] = disk.files() as [string];
  const content = disk.content(first);
  content[100] = (content[100] ?? 0) ^ 1;
  const names = disk.files();
  const outcome = await reopen(from, disk);
  assert.equal(outcome.condition.kind, "damaged");
  assert.equal(outcome.condition.kind === "damaged" && outcome.condition.movedTo, `${first}.damaged`);
  for (const name of names) assert.ok(disk.files().includes(`${name}.damaged`));
  const again = await reopen(from, disk);
  assert.equal(again.condition.kind, "clean");
  assert.deepEqual(again.position, from.dependency);
});

test("a log that was removed is damage when the sign state depends on it, and a fresh start when not", async () => {
  const dependency = { sequence: 7n, crc: 99 };
  const wal = await openWal({ dir: DIR, coreVersion: 1, dependency }, new FaultDisk());
  assert.equal(wal.condition.kind, "damaged");
  assert.deepEqual(wal.position, dependency);
  assert.equal(wal.append(1, new Uint8Array()).sequence, 8n);
  await wal.close();
  const fresh = await openWal({ dir: DIR, coreVersion: 1 }, new FaultDisk());
  assert.equal(fresh.condition.kind, "clean");
  assert.equal(fresh.position.sequence, 0n);
  await fresh.close();
});

test("another log with as many records is damage: the checksum of the record depended on differs", async () => {
  const from = await specimen({ count: 5, payload: 40, depends: 5 });
  const outcome = await reopen({ ...from, dependency: { ...from.dependency, crc: 1 } }, from.disk.clone());
  assert.equal(outcome.condition.kind, "damaged");
  assert.match(outcome.condition.kind === "damaged" ? outcome.condition.reason : "", /another checksum/);
});

test("a record goes on with the log only under the next number and the checksum of the record before it", () => {
  const last = { sequence: 7n, crc: 0x1234 };
  const next = (previous: WalPosition) =>
    readRecord(encodeRecord(previous, 1, Uint8Array.of(5), true).bytes, 0);
  const verdict = (previous: WalPosition): boolean =>
    follows(next(previous) ?? assert.fail("unreadable"), last);
  assert.equal(verdict(last), true);
  assert.equal(verdict({ ...last, sequence: 6n }), false, "told twice");
  assert.equal(verdict({ ...last, sequence: 8n }), false, "one is missing");
  assert.equal(verdict({ ...last, crc: 0x1235 }), false, "of another log");
});

test("a record of another log in the place of one of this log is damage", async () => {
  const from = await specimen({ count: 6, payload: 40, depends: 3 });
  const other = await specimen({ count: 6, payload: 40, depends: 0, shift: 1 });
  const [file] = from.disk.files();
  const at = HEADER_BYTES + 4 * 62;
  const disk = from.disk.clone();
  disk.content(file ?? "").set(other.disk.content(file ?? "").subarray(at, at + 62), at);
  assert.equal((await reopen(from, disk)).condition.kind, "damaged");
});

test("a sector that the disk lost is damage when a later write is whole, also when no signature depends on it", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, segmentBytes: 8192, coreVersion: 1 }, disk);
  for (let i = 0; i < 3; i++) {
    wal.append(1, new Uint8Array(1500).fill(0xa5));
    await wal.sync();
  }
  await wal.close();
  const [file] = disk.files();
  // The first record ends at 1554: this sector lies inside the second one.
  disk.content(file ?? "").fill(0, 2048, 2560);
  const again = await openWal({ dir: DIR, segmentBytes: 8192, coreVersion: 1 }, disk);
  assert.equal(again.condition.kind, "damaged");
  await again.close();
});

test("what a torn tail leaves behind does not come back behind later records", async () => {
  const disk = new FaultDisk();
  const wal = await openWal({ dir: DIR, segmentBytes: 8192, coreVersion: 1 }, disk);
  wal.append(1, Uint8Array.of(1));
  await wal.sync();
  for (const length of [600, 40]) wal.append(2, new Uint8Array(length).fill(0xa5));
  disk.failAt = { operation: disk.operations + 1, error: new Error("power") };
  await assert.rejects(wal.sync());
  // The first sector of the write is lost, the second one, in which its last record lies whole, is kept.
  let sector = 0;
  const after = disk.afterPowerLoss(() => sector++ > 0);
  const torn = await openWal({ dir: DIR, segmentBytes: 8192, coreVersion: 1 }, after);
  assert.equal(torn.condition.kind, "torn");
  torn.append(3, Uint8Array.of(3));
  await torn.close();
  const again = await openWal({ dir: DIR, segmentBytes: 8192, coreVersion: 1 }, after);
  assert.equal(again.condition.kind, "clean");
  assert.deepEqual(
    (await collect(again.replay(1n))).map(({ type }) => type),
    [1, 3],
  );
  await again.close();
});

test("a record that rots between opening and replay ends the replay with an error, never silently", async () => {
  const from = await specimen({ count: 6, payload: 40, depends: 0 });
  const wal = await openWal({ dir: DIR, segmentBytes: 4096, coreVersion: 1 }, from.disk);
  const [file] = from.disk.files();
  const bytes = from.disk.content(file ?? "");
  bytes[HEADER_BYTES + 3 * 62 + 30]! ^= 1;
  await assert.rejects(collect(wal.replay(1n)), { code: "WAL_DAMAGED" });
  await wal.close();
});

test("a power loss tears only what was never synced, whichever sectors reached the disk", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 900 }), fc.boolean()), { minLength: 1, maxLength: 30 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
      async (appends, sectors) => {
        const disk = new FaultDisk();
        const wal = await openWal({ dir: DIR, segmentBytes: 4096, coreVersion: 1 }, disk);
        const written: WalRecord[] = [];
        let synced = 0;
        let dependency = wal.position;
        for (const [length, sync] of appends) {
          const payload = new Uint8Array(length).fill(0xa5);
          written.push({ ...wal.append(3, payload), type: 3, payload });
          if (!sync) continue;
          await wal.sync();
          synced = written.length;
          dependency = wal.position;
        }
        // The last group reaches the disk's cache but its sync is never answered.
        disk.failAt = { operation: disk.operations + 1, error: new Error("power") };
        await wal.sync().catch(() => undefined);
        let next = 0;
        const after = disk.afterPowerLoss(() => sectors[next++ % sectors.length] ?? false);
        const from: Specimen = { disk, dir: DIR, segmentBytes: 4096, records: written, dependency };
        const outcome = await reopen(from, after);
        assert.notEqual(
          outcome.condition.kind,
          "damaged",
          JSON.stringify(outcome.condition, (_, v) => String(v)),
        );
        assert.ok(outcome.replayed.length >= synced);
        assertSound(from, outcome, "power loss cut");
      },
    ),
    { numRuns: 150 },
  );
});

test("a group whose first sector or any other is lost is a torn tail, wherever its records lie in the sectors", async () => {
  // The synced record ends at 54 + pad: the group's first header lies at every distance from the end of a sector.
  for (let pad = 512 - 54 - 60; pad <= 512 - 54; pad++) {
    for (const lengths of [
      [5, 0, 0, 0],
      [0, 0, 40, 7],
      [300, 0, 450, 0],
    ]) {
      const disk = new FaultDisk();
      const wal = await openWal({ dir: DIR, segmentBytes: 4096, coreVersion: 1 }, disk);
      const first = { ...wal.append(0, new Uint8Array(pad).fill(0xa5)), type: 0 };
      await wal.sync();
      const dependency = wal.position;
      const written: WalRecord[] = [{ ...first, payload: new Uint8Array(pad).fill(0xa5) }];
      for (const length of lengths) {
        const payload = new Uint8Array(length).fill(0xa5);
        written.push({ ...wal.append(0, payload), type: 0, payload });
      }
      disk.failAt = { operation: disk.operations + 1, error: new Error("power") };
      await assert.rejects(wal.sync());
      for (let kept = 0; kept < 8; kept++) {
        let sector = 0;
        const after = disk.afterPowerLoss(() => ((kept >> sector++) & 1) === 1);
        const from: Specimen = { disk, dir: DIR, segmentBytes: 4096, records: written, dependency };
        const outcome = await reopen(from, after);
        const where = `power loss cut, pad ${pad}, lengths ${lengths}, sectors kept ${kept.toString(2)}`;
        assert.notEqual(outcome.condition.kind, "damaged", where);
        assertSound(from, outcome, where);
      }
    }
  }
});

test("a flipped bit in a synced group that whole records of it follow is damage, also when no signature depends on it", async () => {
  const from = await specimen({ count: 8, payload: 40, depends: 4, group: 4 });
  const group = 32 + 4 * 62;
  for await (const outcome of everyBitFlip(from, 11)) {
    const byte = outcome.bit >> 3;
    assertSound(from, outcome, `bit ${outcome.bit}`);
    if (byte >= group && byte < group + 3 * 62)
      assert.equal(outcome.condition.kind, "damaged", `byte ${byte}`);
  }
});
