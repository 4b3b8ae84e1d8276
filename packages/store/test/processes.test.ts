import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { lockHome, openStore, resetData, StoreError } from "../src/index.ts";
import { withDir } from "./fixture.ts";

function start(script: string, dir: string): ChildProcess {
  const file = fileURLToPath(new URL(script, import.meta.url));
  return spawn(process.execPath, ["--conditions=quorate-source", file, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** Lines of the child, until one satisfies `enough`. */
async function readUntil(child: ChildProcess, enough: (line: string) => boolean): Promise<string> {
  assert.ok(child.stdout);
  for await (const line of createInterface({ input: child.stdout })) if (enough(line)) return line;
  throw new Error("the child ended early");
}

test("a process killed in the middle of commits leaves a store that has every acknowledged height and goes on", async () => {
  await withDir(async (dir) => {
    let reached = 0;
    for (let run = 1; run <= 4; run++) {
      const child = start("./committer.ts", dir);
      const line = await readUntil(child, (text) => Number(text) >= reached + 5 * run);
      await kill(child);
      const after = await openStore({ dir, segmentBytes: 64 * 1024, stepBytes: 16 * 1024 });
      assert.ok(after.height >= Number(line));
      for (let height = 1; height <= after.height; height++) {
        assert.equal((await after.block(height))?.header.height, height);
        assert.equal((await after.commitOf(height))?.height, height);
        assert.equal((await after.stateAt(height))?.lastHeight, height);
      }
      reached = after.height;
      await after.close();
    }
  });
});

test("a home held by a process is refused at once, naming it, and is free as soon as it is killed", async () => {
  await withDir(async (dir) => {
    const child = start("./holder.ts", dir);
    await readUntil(child, (line) => line === "held");
    await assert.rejects(lockHome(dir), (error: unknown) => {
      assert.ok(error instanceof StoreError && error.code === "HOME_LOCKED");
      assert.equal(error.facts["pid"], child.pid);
      assert.ok(error.message.includes(String(child.pid)));
      return true;
    });
    await assert.rejects(
      resetData(dir),
      (error: unknown) => error instanceof StoreError && error.code === "HOME_LOCKED",
    );
    await kill(child);
    const lock = await lockHome(dir);
    await lock.release();
  });
});

test("the same process cannot take a home twice, and can after releasing it", async () => {
  await withDir(async (dir) => {
    const lock = await lockHome(dir);
    await assert.rejects(
      lockHome(dir),
      (error: unknown) => error instanceof StoreError && error.code === "HOME_LOCKED",
    );
    await lock.release();
    await (await lockHome(dir)).release();
  });
});

test("a reset removes the data and keeps the sign state", async () => {
  await withDir(async (dir) => {
    await (await openStore({ dir })).close();
    await mkdir(join(dir, "wal"));
    await writeFile(join(dir, "priv_validator_state.bin"), "signed");
    assert.deepEqual(await resetData(dir), ["blocks", "db", "wal"]);
    assert.deepEqual((await readdir(dir)).sort(), ["lock", "pid", "priv_validator_state.bin"]);
  });
});
