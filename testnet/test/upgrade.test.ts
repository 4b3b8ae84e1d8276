/** The owner of the registry changes the rules of a running chain: a param, and a version that this release does not know. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ANY_PORTS, initHome, lastExit, SingleNode } from "./support/single.ts";
import { freePorts, rpc, temporaryDirectory, validator } from "./support.ts";

interface Status {
  readonly upgrades: {
    readonly scheduled: readonly { readonly height: string; readonly app_version: string }[];
    readonly unsupported_height: string | null;
  };
}

interface Header {
  readonly header: { readonly time: string; readonly version: { readonly app: string } };
}

/** No release of the program knows it. */
const UNKNOWN_VERSION = "4000000000";

describe("rules that change on a running chain", { timeout: 600_000 }, () => {
  const directory = temporaryDirectory();
  const home = join(directory.path, "home");
  let args: readonly string[];
  let node: SingleNode;
  let url: string;
  let metrics: string;

  before(async () => {
    await initHome(home, "--block-interval", "400");
    const port = await freePorts(2);
    args = [...ANY_PORTS, "--el-http-port", String(port), "--el-engine-port", String(port + 1)];
    node = new SingleNode(home, args);
    ({ rpc: url, metrics } = await node.started());
    await node.commits(1);
    targets = ["--node", url, "--eth", `http://127.0.0.1:${port}`, "--timeout", "60"];
  });
  after(async () => {
    await node?.stop();
    directory.remove();
  });
  let targets: readonly string[];

  const sent = async (...words: readonly string[]): Promise<Readonly<Record<string, unknown>>> => {
    const ended = await validator(...words, "--home", home, ...targets, "--json");
    assert.equal(ended.code, 0, ended.err);
    return JSON.parse(ended.out) as Readonly<Record<string, unknown>>;
  };
  const timeOf = async (height: number): Promise<number> =>
    Date.parse((await rpc<Header>(url, `header?height=${height}`)).header.time);

  test("a param holds two heights after the block that carries it, and not before", async () => {
    const { height: at } = await sent("param", "block_interval", "800");
    const height = Number(at);
    await node.commits(height + 3);
    const times = await Promise.all([height, height + 1, height + 2, height + 3].map(timeOf));
    const [before = 0, first = 0, second = 0] = times.slice(1).map((time, index) => time - times[index]!);
    assert.ok(first >= 800 && second >= 800, `${before}, ${first}, ${second} ms`);
    const { params } = await rpc<{ params: Record<string, string> }>(url, "registry");
    assert.equal(params["block_interval"], "800");
  });

  test("an upgrade that is withdrawn is none", async () => {
    const { upgrades } = await rpc<Status>(url, "status");
    assert.deepEqual([upgrades.scheduled, upgrades.unsupported_height], [[], null]);
    await sent("upgrade", "100000", UNKNOWN_VERSION);
    const planned = (await rpc<Status>(url, "status")).upgrades;
    assert.deepEqual(planned.scheduled, [{ height: "100000", app_version: UNKNOWN_VERSION }]);
    assert.equal(planned.unsupported_height, "100000");
    await sent("upgrade", "100000", "0");
    assert.deepEqual((await rpc<Status>(url, "status")).upgrades.scheduled, []);
  });

  test("a node warns from the moment an unknown version is scheduled, stops before its height with exit 8, and at each start", async () => {
    const { sync_info } = await rpc<{ sync_info: { latest_block_height: string } }>(url, "status");
    // Far enough for the command of a busy machine, at most of a second each; the rest of the way is quick.
    const height = Number(sync_info.latest_block_height) + 30;
    await sent("upgrade", String(height), UNKNOWN_VERSION);
    await node.logged(new RegExp(`stop before a scheduled upgrade.*height=${height}`));
    const text = await (await fetch(`${metrics}/metrics`)).text();
    assert.match(text, new RegExp(`^quorate_upgrade_unknown_height\\{[^}]*\\} ${height}$`, "m"));
    await sent("param", "block_interval", "100");
    const { code, err } = await node.ended;
    assert.equal(code, 8, err);
    const commits = node.lines.filter(({ event }) => event === "commit");
    assert.equal(commits.at(-1)?.["height"], height - 1);
    const left = lastExit(home);
    assert.equal(left.code, 8);
    assert.match(left.what, new RegExp(`height ${height} needs app version ${UNKNOWN_VERSION}`));
    const again = new SingleNode(home, args);
    assert.equal((await again.ended).code, 8, again.log);
    assert.equal(
      again.lines.some(({ event }) => event === "commit"),
      false,
    );
  });
});
