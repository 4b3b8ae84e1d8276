/** What a node refuses, what it recovers from, and what it tells its operator. One node at a time, most without EL. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { readiness } from "./support/live.ts";
import {
  ANY_PORTS,
  copyHome,
  initHome,
  lastExit,
  SingleNode,
  secretsIn,
  secretsOf,
} from "./support/single.ts";
import { isLoopback, listenersOf } from "./support/sockets.ts";
import { type Ended, ended, freePorts, ROOT, temporaryDirectory, VALIDATOR, validator } from "./support.ts";

const directory = temporaryDirectory();
/** A chain without EL that has run for some heights and stopped; every test works on a copy. */
const template = join(directory.path, "template");
let copies = 0;

function home(from = template): string {
  return copyHome(from, join(directory.path, `home${copies++}`));
}

before(async () => {
  await initHome(template, "--execution", "none", "--block-interval", "50");
  const node = new SingleNode(template);
  await node.commits(12);
  const { code } = await node.stop();
  assert.equal(code, 0, node.log);
});
after(() => directory.remove());

/** The contract of every exit >= 3: one line with code, what and do, the same in last-exit.json, no stack trace. */
function assertFailure(result: Ended, where: string, code: number, what: RegExp): void {
  assert.equal(result.code, code, result.err);
  assert.doesNotMatch(result.err, /^\s+at .*:\d+:\d+\)?$/m, "a stack trace is no message");
  const line = result.err.split("\n").findLast((text) => text.startsWith("error code="));
  const match = /^error code=(\d+) what=("(?:[^"\\]|\\.)*") do=("(?:[^"\\]|\\.)*")$/.exec(line ?? "");
  assert.ok(match !== null, result.err);
  assert.equal(Number(match[1]), code);
  assert.match(JSON.parse(match[2]!), what);
  assert.ok(JSON.parse(match[3]!).length > 10, "says what to do");
  const left = lastExit(where);
  assert.deepEqual([left.code, left.what, left.do], [code, JSON.parse(match[2]!), JSON.parse(match[3]!)]);
}

async function refuses(where: string, code: number, what: RegExp, ...args: readonly string[]): Promise<void> {
  const result = await validator("start", "--home", where, ...ANY_PORTS, ...args);
  assertFailure(result, where, code, what);
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset]! ^= 0x10;
  const fd = openSync(file, "r+");
  writeSync(fd, bytes, offset, 1, offset);
  closeSync(fd);
}

/** The node starts, reports, and goes on deciding with its own signature. */
async function recovers(where: string, report: RegExp): Promise<void> {
  const node = new SingleNode(where);
  try {
    await node.logged(report);
    const { height } = await node.started();
    await node.commits(height + 3);
  } finally {
    assert.equal((await node.stop()).code, 0, node.log);
  }
}

describe("what a start refuses", { concurrency: 2, timeout: 600_000 }, () => {
  test("a home that another process holds: exit 4 at once, naming the process", async () => {
    const held = home();
    const first = new SingleNode(held);
    const { pid } = await first.started();
    const from = performance.now();
    const second = await validator("start", "--home", held, ...ANY_PORTS);
    const took = performance.now() - from;
    assert.equal(second.code, 4);
    assert.match(second.err, new RegExp(`process ${pid}\\b`));
    // Far less than a second on an idle machine. A wait for the home would last as long as the other, which lives on.
    assert.ok(took < 20_000, `${took} ms`);
    assert.equal((await first.stop()).code, 0);
  });

  for (const name of ["priv_validator_key.json", "node_key.json"]) {
    test(`${name} that others can read: exit 3, naming file and mode`, async () => {
      const where = home();
      chmodSync(join(where, "config", name), 0o644);
      await refuses(where, 3, new RegExp(`${name}.*0644`));
    });
  }

  test("a JWT secret that others can read: exit 3, naming file and mode", async () => {
    const where = join(directory.path, "open-jwt");
    await initHome(where);
    chmodSync(join(where, "config", "jwt.hex"), 0o640);
    await refuses(where, 3, /jwt\.hex.*0640/);
  });

  test("a config.toml that is no TOML, naming the line", async () => {
    const where = home();
    edit(join(where, "config", "config.toml"), (text) => `moniker = "x\n${text}`);
    await refuses(where, 3, /config\.toml.*(1|line)/s);
  });

  test("an unknown key in config.toml, with the nearest known one", async () => {
    const where = home();
    edit(join(where, "config", "config.toml"), (text) => text.replace("max_peers", "max_pears"));
    await refuses(where, 3, /max_pears.*max_peers/);
  });

  test("a value of the wrong kind in config.toml, naming the key", async () => {
    const where = home();
    edit(join(where, "config", "config.toml"), (text) => text.replace(/max_peers = \d+/, 'max_peers = "no"'));
    await refuses(where, 3, /max_peers/);
  });

  test("an unknown flag: exit 2 with the nearest known one", async () => {
    const { code, err } = await validator("start", "--home", home(), "--persistent-pears", "x");
    assert.equal(code, 2);
    assert.match(err, /--persistent-peers/);
  });

  test("a genesis.json that is no JSON", async () => {
    const where = home();
    edit(join(where, "config", "genesis.json"), (text) => text.slice(0, -20));
    await refuses(where, 3, /genesis\.json/);
  });

  test("a genesis.json with a field that is out of range, naming the field", async () => {
    const where = home();
    edit(join(where, "config", "genesis.json"), (text) => text.replace('"power": "10"', '"power": "-1"'));
    await refuses(where, 3, /genesis\.json.*power/);
  });

  test("a genesis.json with an unknown parameter, naming it", async () => {
    const where = home();
    edit(join(where, "config", "genesis.json"), (text) =>
      text.replace('"block_interval"', '"block_intervall": 5, "block_interval"'),
    );
    await refuses(where, 3, /genesis\.json.*block_intervall/);
  });

  test("the genesis.json of another chain than the data is of", async () => {
    const where = home();
    edit(join(where, "config", "genesis.json"), (text) =>
      text.replace(/"chain_id": "[^"]+"/, '"chain_id": "another"'),
    );
    await refuses(where, 3, /belongs to genesis [0-9A-F]{64}/);
  });

  test("a sign state of which both slots are rotten: exit 5", async () => {
    const where = home();
    const state = join(where, "data", "priv_validator_state.bin");
    flip(state, 40);
    flip(state, 4096 + 40);
    await refuses(where, 5, /sign state|priv_validator_state/);
  });

  test("a key without its sign state: exit 5, and init does not make one", async () => {
    const where = home();
    rmSync(join(where, "data", "priv_validator_state.bin"));
    await refuses(where, 5, /priv_validator_state\.bin/);
    await initHome(where);
    await refuses(where, 5, /priv_validator_state\.bin/);
  });

  for (const [flag, what, address] of [
    ["--rpc-listen", "RPC", (port: number) => `127.0.0.1:${port}`],
    ["--metrics-listen", "metrics", (port: number) => `127.0.0.1:${port}`],
    ["--p2p-listen", "p2p", (port: number) => `/ip4/127.0.0.1/tcp/${port}`],
  ] as const) {
    test(`a ${what} port that is in use: exit 4, naming the port`, async () => {
      const where = home();
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const bound = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : 0;
      const rest = ANY_PORTS.filter((word, index) => word !== flag && ANY_PORTS[index - 1] !== flag);
      const result = await validator("start", "--home", where, ...rest, flag, address(port));
      server.close();
      assertFailure(result, where, 4, new RegExp(`\\b${port}\\b`));
    });
  }

  test("a disk that does not take a whole file: exit 6", async () => {
    const where = home();
    // 32 KiB a file: the log and the index reach it within some heights.
    const node = spawn(
      "/bin/sh",
      ["-c", 'ulimit -f 64; exec "$@"', "sh", ...startWords(where), ...ANY_PORTS],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    assertFailure(await ended(node), where, 6, /.+/);
  });
});

function startWords(where: string): string[] {
  return [VALIDATOR, "start", "--home", where];
}

describe("what a start recovers from, and says so", { concurrency: 2, timeout: 600_000 }, () => {
  test("a bit flipped in the middle of the WAL: set aside, the node signs on", async () => {
    const where = home();
    const [segment] = readdirSync(join(where, "data", "wal"));
    const file = join(where, "data", "wal", segment!);
    const { bytes } = await usedBytes(where);
    flip(file, Math.floor(bytes / 2));
    await recovers(where, /WAL is damaged.*set aside/);
    assert.ok(readdirSync(join(where, "data", "wal")).length > 1, "the damaged segment is kept");
  });

  test("a WAL that ends before what the sign state depends on: set aside, the node signs on", async () => {
    const where = home();
    const [segment] = readdirSync(join(where, "data", "wal"));
    const file = join(where, "data", "wal", segment!);
    const { bytes } = await usedBytes(where);
    truncateSync(file, Math.floor(bytes / 3));
    await recovers(where, /WAL is damaged.*set aside/);
  });

  test("a WAL that is gone", async () => {
    const where = home();
    rmSync(join(where, "data", "wal"), { recursive: true });
    await recovers(where, /WAL is damaged/);
  });

  test("one rotten slot of the sign state: the other one counts, raised to what is known", async () => {
    const where = home();
    flip(join(where, "data", "priv_validator_state.bin"), 40);
    await recovers(where, /consensus/);
    const again = home();
    flip(join(again, "data", "priv_validator_state.bin"), 4096 + 40);
    await recovers(again, /consensus/);
  });

  test("a store index that is destroyed is rebuilt from the bodies", async () => {
    const where = home();
    const db = join(where, "data", "db");
    for (const name of readdirSync(db)) {
      if (/\.(ldb|log)$|^MANIFEST/.test(name)) writeFileSync(join(db, name), Buffer.alloc(512, 0xa5));
    }
    const node = new SingleNode(where);
    await node.logged(/index was rebuilt/);
    const { height, rpc } = await node.started();
    // The newest commit stood in the index alone: it comes back from other nodes, of which there are none here.
    assert.ok(height >= 10, `rebuilt up to ${height}`);
    assert.equal((await fetch(`${rpc}/block?height=${height}`)).status, 200);
    assert.equal((await node.stop()).code, 0, node.log);
  });

  test("a body that is rotten is never served: the node says which, or refuses to start", async () => {
    const where = home();
    const bodies = join(where, "data", "blocks");
    const [segment] = readdirSync(bodies);
    const file = join(bodies, segment!);
    flip(file, Math.min(statSync(file).size - 1, 2_000));
    const node = new SingleNode(where);
    const outcome = await Promise.race([node.started().catch(() => null), node.ended.then(() => null)]);
    if (outcome === null) {
      assertFailure(await node.ended, where, 3, /damaged/);
      return;
    }
    const served = await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const reply = (await (await fetch(`${outcome.rpc}/block?height=${index + 1}`)).json()) as {
          readonly error?: unknown;
        };
        return reply.error === undefined;
      }),
    );
    assert.ok(served.includes(false) || /damaged|corrupt/.test(node.log), node.log);
    await node.stop();
  });
});

/** Where the records of the only WAL segment end: what follows is preallocated. */
async function usedBytes(where: string): Promise<{ bytes: number }> {
  const [segment] = readdirSync(join(where, "data", "wal"));
  const bytes = readFileSync(join(where, "data", "wal", segment!));
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  assert.ok(end > 100, "the WAL has records");
  return { bytes: end };
}

describe("a node whose execution client is not right", { concurrency: 2, timeout: 600_000 }, () => {
  const own = join(directory.path, "engine");
  const foreign = join(directory.path, "foreign");
  let el: { readonly process: ChildProcess; readonly engine: string; readonly eth: string };

  before(async () => {
    await initHome(own);
    await initHome(foreign);
    el = await startEl(foreign);
  });
  after(async () => {
    el?.process.stdin?.end();
    if (el !== undefined) await ended(el.process);
  });

  /** Runs, is not ready for a reason that says what to do, and goes on serving RPC. */
  async function explains(where: string, reason: RegExp, ...args: readonly string[]): Promise<void> {
    const node = new SingleNode(where, [...ANY_PORTS, ...args]);
    try {
      const { rpc } = await node.started();
      await node.until("a reason", async () => {
        const { status, reasons } = await readiness(rpc);
        return status === 503 && reasons.some((text) => reason.test(text)) ? true : undefined;
      });
      assert.equal((await fetch(`${rpc}/health`)).status, 200);
      const { result } = (await (await fetch(`${rpc}/genesis`)).json()) as { result?: { genesis: object } };
      assert.ok(result?.genesis !== undefined);
    } finally {
      assert.equal((await node.stop()).code, 0, node.log);
    }
  }

  test("it is down: the node runs, says so and what to do", async () => {
    const port = await freePorts(2);
    await explains(
      home(own),
      /execution client.*(refused|reach|answer|connect).*(start|check)/is,
      ...["--el", `http://127.0.0.1:${port}`, "--el-rpc", `http://127.0.0.1:${port + 1}`],
    );
  });

  test("it refuses the JWT secret: the node runs, says so and what to do", async () => {
    await explains(home(own), /JWT|secret/i, "--el", el.engine, "--el-rpc", el.eth);
  });

  test("it is on another genesis: the node runs, says so and what to do", async () => {
    const jwt = join(foreign, "config", "jwt.hex");
    await explains(home(own), /genesis/i, "--el", el.engine, "--el-rpc", el.eth, "--jwt", jwt);
  });
});

async function startEl(
  where: string,
): Promise<{ readonly process: ChildProcess; readonly engine: string; readonly eth: string }> {
  const port = await freePorts(2);
  const child = spawn(
    process.execPath,
    [
      ...[...process.execArgv, join(ROOT, "packages/devnet-el/src/main.ts"), "--exit-with-parent"],
      ...["--genesis", join(where, "config", "el-genesis.json"), "--datadir", join(where, "data", "el")],
      ...["--jwt", join(where, "config", "jwt.hex"), "--http-addr", "127.0.0.1"],
      ...["--http-port", String(port), "--engine-port", String(port + 1)],
    ],
    { stdio: ["pipe", "pipe", "ignore"] },
  );
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('"ready"')) break;
  }
  return { process: child, engine: `http://127.0.0.1:${port + 1}`, eth: `http://127.0.0.1:${port}` };
}

describe("a node that must stop, or shows itself", { concurrency: 2, timeout: 600_000 }, () => {
  test("an unhandled rejection stops it: state dump, exit 1, no secret in either", async () => {
    const where = home();
    // Comes from outside: a preloaded module that rejects when it is told to.
    const fault =
      'import{isMainThread}from"node:worker_threads";if(isMainThread)process.on("SIGUSR2",()=>void Promise.reject(new Error("a fault from outside")))';
    const env = {
      ...process.env,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(fault)}`,
    };
    const node = new SingleNode(where, ANY_PORTS, env);
    const { height, pid } = await node.started();
    await node.commits(height + 1);
    process.kill(pid, "SIGUSR2");
    const { code, out, err } = await node.ended;
    assert.equal(code, 1, err);
    const dump = readFileSync(join(where, "data", "state-dump.json"), "utf8");
    const { exit, consensus, stack } = JSON.parse(dump);
    assert.equal(exit.code, 1);
    assert.match(exit.what, /a fault from outside/);
    assert.ok(typeof consensus === "object" && consensus !== null);
    assert.match(stack, /a fault from outside/);
    assert.deepEqual(secretsIn(out + err + dump, secretsOf(where)), []);
    const again = new SingleNode(where);
    await again.commits(height + 3);
    assert.equal((await again.stop()).code, 0);
  });

  test("a disk that fills up while it runs stops it with exit 6", { skip: noTmpfs() }, async () => {
    const mounted = join(directory.path, "small");
    mkdirSync(mounted);
    assert.equal((await run("mount", "-t", "tmpfs", "-o", "size=32m", "none", mounted)).code, 0);
    try {
      const where = copyHome(template, join(mounted, "home"));
      const node = new SingleNode(where);
      const { height } = await node.started();
      await node.commits(height + 1);
      fill(join(mounted, "filler"));
      const result = await node.ended;
      assert.equal(result.code, 6, result.err);
      assert.match(result.err, /^error code=6 what=".*" do=".*"$/m);
      rmSync(join(mounted, "filler"));
      const again = new SingleNode(where);
      await again.commits((await again.started()).height + 2);
      assert.equal((await again.stop()).code, 0, again.log);
    } finally {
      await run("umount", "-l", mounted);
    }
  });

  test("no secret appears in output, log at debug level, metrics or RPC", async () => {
    const where = home();
    const node = new SingleNode(where, [...ANY_PORTS, "--log-level", "debug"]);
    const { height, rpc, metrics } = await node.started();
    await node.commits(height + 2);
    const shown = await Promise.all(
      [
        `${metrics}/metrics`,
        ...["", "/status", "/net_info", "/genesis", "/dump_consensus_state", "/abci_info", "/ready"].map(
          (path) => rpc + path,
        ),
      ].map(async (url) => (await fetch(url)).text()),
    );
    assert.match(shown[0]!, /^cometbft_consensus_height\{/m);
    const { out, err } = await node.stop();
    assert.deepEqual(secretsIn([out, err, ...shown].join("\n"), secretsOf(where)), []);
  });

  test("only p2p listens beyond loopback", {
    skip: process.platform === "linux" ? false : "reads /proc, which only Linux has",
  }, async () => {
    const where = join(directory.path, "default");
    const port = await freePorts(5);
    await initHome(where, "--base-port", String(port));
    const node = new SingleNode(where, []);
    const { pid } = await node.started();
    const elPid = await node.until("the embedded client", () => {
      const line = node.lines.findLast(({ event }) => event === "el" || event === "started");
      const found = line?.["pid"] === pid ? line["el_pid"] : line?.["pid"];
      return typeof found === "number" ? found : undefined;
    });
    const listeners = [...listenersOf(pid), ...listenersOf(elPid)];
    assert.equal(new Set(listeners.map((listener) => listener.port)).size, 5);
    const open = listeners.filter(({ address }) => !isLoopback(address));
    assert.deepEqual([...new Set(open.map((listener) => listener.port))], [port]);
    assert.equal((await node.stop()).code, 0);
  });
});

function noTmpfs(): string | false {
  if (process.platform === "linux" && process.getuid?.() === 0) return false;
  return "mounting a small disk needs Linux and root";
}

function run(command: string, ...args: readonly string[]): Promise<Ended> {
  return ended(spawn(command, [...args], { stdio: ["ignore", "pipe", "pipe"] }));
}

/** Writes until the disk takes nothing more. */
function fill(file: string): void {
  const fd = openSync(file, "w");
  try {
    for (const size of [1_048_576, 4096, 1]) {
      const chunk = Buffer.alloc(size, 1);
      try {
        while (writeSync(fd, chunk) === size);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
      }
    }
  } finally {
    closeSync(fd);
  }
}
