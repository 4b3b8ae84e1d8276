/** A node that finds its own core or its disk at fault ends at once, says why, and sends nothing more. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ANY_PORTS, copyHome, initHome, lastExit, SingleNode } from "./support/single.ts";
import { ended, temporaryDirectory, validator } from "./support.ts";

const directory = temporaryDirectory();
/** A chain without EL that has run for some heights and stopped; every test works on a copy. */
const template = join(directory.path, "template");
let copies = 0;

function home(): string {
  return copyHome(template, join(directory.path, `home${copies++}`));
}

before(async () => {
  await initHome(template, "--execution", "none", "--block-interval", "50");
  const node = new SingleNode(template);
  await node.commits(5);
  assert.equal((await node.stop()).code, 0, node.log);
});
after(() => directory.remove());

/** What a node sent, by its own trace. */
function sentIn(where: string): { readonly height: number; readonly type: string }[] {
  const file = join(where, "data", "vote-trace.ndjson");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line)).filter(({ direction }) => direction === "out");
}

/** What a node says that ends because its patience with its own end is over; the campaign of disks holds how long one takes. */
const LATE = /within its time/;
const TRACED = [...ANY_PORTS, "--vote-trace", "data/vote-trace.ndjson"];

describe("a broken invariant of the core", { timeout: 300_000 }, () => {
  /**
   * A preloaded module that lets the round machine step back by one when SIGUSR2 was received: a fault put into the
   * program from outside, as it could be in its memory.
   */
  const fault = `
    import { registerHooks } from "node:module";
    import { isMainThread } from "node:worker_threads";
    if (isMainThread) {
      process.on("SIGUSR2", () => { globalThis.injected = true; });
      registerHooks({ load(url, context, next) {
        const loaded = next(url, context);
        if (!/consensus\\/(src|lib)\\/round-machine\\.(ts|js)$/.test(url)) return loaded;
        const text = String(loaded.source);
        const whole = 'machine: { ...machine, step: "Prevote" }';
        if (!text.includes(whole)) throw new Error("the fault has no place in " + url);
        const broken = 'machine: { ...machine, step: "Prevote", round: globalThis.injected ? globalThis.breakRound(machine) : machine.round }';
        return { ...loaded, source: text.replace(whole, broken) };
      } });
      globalThis.breakRound = (machine) => {
        process.stderr.write("\\nbroken\\n");
        return machine.round - 1;
      };
    }`;

  test("ends the process at once, with a state dump that names it, and nothing is sent afterwards", async () => {
    const where = home();
    const env = {
      ...process.env,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(fault)}`,
    };
    const node = new SingleNode(where, TRACED, env);
    const { height, pid } = await node.started();
    await node.commits(height + 2);
    process.kill(pid, "SIGUSR2");
    const { code, err } = await node.ended;
    assert.equal(code, 1, err);
    assert.match(err, /^broken$/m);
    assert.doesNotMatch(err, LATE);
    const dump = JSON.parse(readFileSync(join(where, "data", "state-dump.json"), "utf8"));
    assert.match(dump.exit.what, /invariant "round never falls"/);
    assert.match(dump.stack, /checkStep/);
    assert.equal(dump.consensus.height, dump.height);
    const after = sentIn(where).filter((sent) => sent.height >= dump.height && sent.type !== "proposal");
    assert.deepEqual(after, [], "the prevote that broke it was not sent");
    // Without the fault the same home goes on.
    const again = new SingleNode(where);
    await again.commits(dump.height + 2);
    assert.equal((await again.stop()).code, 0, again.log);
  });
});

describe("what a key has signed", { timeout: 300_000 }, () => {
  test("no command forgets it: resets and imports of less are refused or keep it, byte for byte", async () => {
    const where = home();
    const file = join(where, "data", "priv_validator_state.bin");
    const before = readFileSync(file);
    const older = join(directory.path, "older.json");
    writeFileSync(older, JSON.stringify({ height: "1", round: 0, step: 1 }));
    const refused: readonly (readonly string[])[] = [
      ["unsafe-reset-all"],
      ["key", "state", "init"],
      ["key", "state", "import", older],
      ["key", "new"],
    ];
    for (const words of refused) {
      const { code } = await validator(...words, "--home", where);
      assert.notEqual(code, 0, words.join(" "));
      assert.deepEqual(readFileSync(file), before, words.join(" "));
    }
    for (const words of [["init"], ["reset"]]) {
      const { code, err } = await validator(...words, "--home", where);
      assert.deepEqual(readFileSync(file), before, `${words.join(" ")} (${code}): ${err}`);
    }
  });
});

describe("a disk that fails once", { concurrency: 1, timeout: 600_000 }, () => {
  const calls = [
    ["fdatasync", "EIO", 2],
    ["fdatasync", "EIO", 9],
    ["pwrite64", "EIO", 6],
    ["pwrite64", "ENOSPC", 11],
    ["pwrite64", "EROFS", 14],
  ] as const;
  for (const [call, errno, nth] of calls) {
    test(`${errno} by the ${nth}th ${call} of the running node: exit 6 at once, nothing sent, safe to start`, {
      skip: withoutStrace(),
    }, async () => {
      const where = home();
      const node = new SingleNode(where, TRACED);
      const { height, pid } = await node.started();
      await node.commits(height + 2);
      const log = join(directory.path, `strace${copies}`);
      const inject = `inject=${call}:error=${errno}:when=${nth}`;
      const tracer = spawn(
        "strace",
        ["-f", "-e", `trace=${call}`, "-e", inject, "-o", log, "-p", String(pid)],
        {
          stdio: "ignore",
        },
      );
      const traced = ended(tracer);
      const { code, err } = await node.ended;
      await traced;
      assert.equal(code, 6, err);
      assert.match(readFileSync(log, "utf8"), /\(INJECTED\)/);
      assert.doesNotMatch(err, LATE);
      assert.equal(lastExit(where).code, 6);
      const sent = sentIn(where);
      const again = new SingleNode(where, TRACED);
      const { height: next } = await again.started();
      await again.commits(next + 3);
      assert.equal((await again.stop()).code, 0, again.log);
      assert.deepEqual(contradictions(sentIn(where)), []);
      assert.equal(sent.length > 0, true);
    });
  }
});

function contradictions(sent: readonly object[]): string[] {
  const seen = new Map<string, string>();
  return (sent as readonly { height: number; round: number; type: string; block: string | null }[]).flatMap(
    ({ height, round, type, block }) => {
      const key = `${type} ${height}/${round}`;
      const text = String(block);
      const before = seen.get(key) ?? text;
      seen.set(key, text);
      return before === text ? [] : [key];
    },
  );
}

/** Why a test that traces another process cannot run here, if so. */
function withoutStrace(): string | false {
  const probe = spawnSync("strace", ["-e", "trace=none", "true"], { encoding: "utf8" });
  if (probe.error !== undefined) return "strace is not installed";
  return probe.status === 0 ? false : "this machine does not let one process trace another";
}
