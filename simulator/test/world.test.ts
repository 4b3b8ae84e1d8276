/** The simulated world keeps its promises: what it loses, what it keeps, in which order things happen. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Machine } from "../src/core/machine.ts";
import { Random } from "../src/core/random.ts";
import { Scheduler } from "../src/core/scheduler.ts";
import { createFile } from "../src/disk/disk.ts";
import { FileSystem, SECTOR_BYTES, type Survival } from "../src/disk/file-system.ts";
import { KeyValueFiles } from "../src/disk/key-values.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("the scheduler", () => {
  it("carries out events by time, equal ones in the order of the calls, microtasks in between", async () => {
    const scheduler = new Scheduler();
    const seen: string[] = [];
    scheduler.after(5, () => seen.push("late"));
    for (const name of ["a", "b"]) {
      scheduler.after(1, () => {
        seen.push(name);
        void Promise.resolve()
          .then(() => undefined)
          .then(() => seen.push(`${name} done`));
      });
    }
    assert.equal(await scheduler.run(10, () => false), "idle");
    assert.deepEqual(seen, ["a", "a done", "b", "b done", "late"]);
  });

  it("lets a busy machine take its events later and a dead one never", async () => {
    const scheduler = new Scheduler();
    const [busy, dead] = [new Machine(scheduler), new Machine(scheduler)];
    const seen: [string, number][] = [];
    busy.after(1, () => busy.charge(10));
    busy.after(2, () => seen.push(["busy", scheduler.now]));
    dead.after(2, () => seen.push(["dead", scheduler.now]));
    dead.dead = true;
    await scheduler.run(100, () => false);
    assert.deepEqual(seen, [["busy", 11]]);
  });

  it("gives a busy machine what waits for it in the order of the calls, and what is due later in its turn", async () => {
    const scheduler = new Scheduler();
    const busy = new Machine(scheduler);
    const seen: string[] = [];
    const take = (name: string, ms: number): (() => void) => {
      return () => {
        seen.push(`${name} ${scheduler.now}`);
        busy.charge(ms);
      };
    };
    busy.after(0, take("first", 10));
    busy.after(5, take("second", 2));
    const cancelled = busy.after(1, take("cancelled", 2));
    busy.after(4, take("third", 2));
    busy.after(13, take("fourth", 0));
    scheduler.after(6, cancelled);
    assert.equal(await scheduler.run(11, () => false), "time");
    busy.pauseUntil(20);
    await scheduler.run(100, () => false);
    assert.deepEqual(seen, ["first 0", "second 10", "third 20", "fourth 22"]);
  });

  it("lets a paused machine go on before its time, with what waited for it and with what it had to compute", async () => {
    const scheduler = new Scheduler();
    const paused = new Machine(scheduler);
    const seen: number[] = [];
    paused.pauseUntil(1_000);
    for (let i = 0; i < 2; i++) {
      paused.after(1, () => {
        seen.push(scheduler.now);
        paused.charge(3);
      });
    }
    scheduler.after(50, () => paused.resume());
    await scheduler.run(100, () => false);
    assert.deepEqual(seen, [50, 53]);
    paused.after(1, () => seen.push(scheduler.now));
    assert.equal(await scheduler.run(2_000, () => false), "idle");
    assert.deepEqual(seen, [50, 53, 56]);
  });

  it("touches each event of a backlog a few times, however long the backlog is", async () => {
    const scheduler = new Scheduler();
    const busy = new Machine(scheduler);
    for (let i = 0; i < 2_000; i++) busy.after(1, () => busy.charge(1));
    await scheduler.run(Number.POSITIVE_INFINITY, () => false);
    assert.equal(scheduler.executed, 2_000);
    assert.equal(scheduler.now, 2_000);
    assert.ok(scheduler.moves < 4 * 2_000, `${scheduler.moves} moves`);
  });

  it("drops what waits for a machine that dies", async () => {
    const scheduler = new Scheduler();
    const busy = new Machine(scheduler);
    let taken = 0;
    busy.charge(10);
    for (let i = 0; i < 3; i++) busy.after(1, () => taken++);
    scheduler.after(5, () => {
      busy.dead = true;
    });
    assert.equal(await scheduler.run(100, () => false), "idle");
    assert.equal(taken, 0);
  });
});

describe("randomness", () => {
  it("of one purpose is not moved by draws for another", () => {
    const [plain, disturbed] = [new Random("seed 1"), new Random("seed 1")];
    disturbed.split("other").next();
    disturbed.next();
    assert.equal(plain.split("purpose").next(), disturbed.split("purpose").next());
  });

  it("is spread evenly", () => {
    const random = new Random("even");
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) buckets[random.below(10)]!++;
    for (const count of buckets) assert.ok(Math.abs(count - 10_000) < 600, String(buckets));
  });
});

describe("the file system", () => {
  const write = (
    files: FileSystem,
    path: string,
    offset: number,
    content: Uint8Array,
    sync: boolean,
  ): void => {
    const fd = files.openSync(path, "r+");
    files.writeSync(fd, content, 0, content.length, offset);
    if (sync) files.fdatasyncSync(fd);
    files.closeSync(fd);
  };

  it("keeps what was synced, whatever a power loss takes", () => {
    const survival = fc.constantFrom<Survival>("none", "all", "some");
    fc.assert(
      fc.property(
        survival,
        fc.integer(),
        fc.uint8Array({ minLength: 1, maxLength: 3000 }),
        (kept, seed, content) => {
          const files = new FileSystem();
          createFile(files, "/home/file", 8192);
          write(files, "/home/file", 0, content, true);
          write(files, "/home/file", 4096, bytes("unsynced"), false);
          files.crash(kept, new Random(String(seed)));
          assert.deepEqual(files.read("/home/file", 0, content.length), content);
        },
      ),
    );
  });

  it("tears an unsynced write at sectors, each old or new", () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 64; seed++) {
      const files = new FileSystem();
      createFile(files, "/home/file", 4 * SECTOR_BYTES);
      write(files, "/home/file", 0, new Uint8Array(4 * SECTOR_BYTES).fill(7), false);
      files.crash("some", new Random(String(seed)));
      const sectors = [0, 1, 2, 3].map((i) => [
        ...new Set(files.read("/home/file", i * SECTOR_BYTES, SECTOR_BYTES)),
      ]);
      for (const values of sectors) assert.equal(values.length, 1);
      outcomes.add(sectors.join());
    }
    assert.equal(outcomes.size, 16);
  });

  it("forgets a new name, and remembers an old one, until the directory is synced", () => {
    const files = new FileSystem();
    createFile(files, "/home/old", 10);
    files.closeSync(files.openSync("/home/new", "w"));
    files.renameSync("/home/old", "/home/renamed");
    files.crash("none", new Random("names"));
    assert.deepEqual(files.list("/home"), ["old"]);
  });

  it("loses the writes of a failed sync, though the next one succeeds", () => {
    const files = new FileSystem();
    createFile(files, "/home/file", 4096);
    files.fault = (call) => (call === "sync" ? { code: "EIO" } : null);
    assert.throws(() => write(files, "/home/file", 0, bytes("lost"), true), { code: "EIO" });
    files.fault = () => null;
    const fd = files.openSync("/home/file", "r+");
    files.fdatasyncSync(fd);
    files.crash("none", new Random("fsync"));
    assert.deepEqual(files.read("/home/file", 0, 4), new Uint8Array(4));
  });
});

describe("the index", () => {
  it("keeps after a power loss every write up to the last synced one, and of the rest the first so many", () => {
    for (let seed = 0; seed < 50; seed++) {
      const index = new KeyValueFiles();
      for (let i = 0; i < 6; i++)
        index.write([{ type: "put", key: bytes(`k${i}`), value: bytes("v") }], i === 2);
      index.crash("some", new Random(String(seed)));
      const kept = index.entries({ gte: bytes("a"), lt: bytes("z") }).length;
      assert.ok(kept >= 3 && kept <= 6);
      for (let i = 0; i < kept; i++) assert.notEqual(index.get(bytes(`k${i}`)), null);
    }
  });
});
