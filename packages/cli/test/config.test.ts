import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig, renderConfig } from "../src/config/file.ts";
import { environmentName, OPTIONS, type OptionValue } from "../src/config/options.ts";
import { environmentValues, resolveSettings } from "../src/config/settings.ts";
import { CliError } from "../src/errors.ts";

function refusal(work: () => unknown): CliError {
  try {
    work();
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  return assert.fail("it was accepted");
}

test("the file that init writes is read back with every option at its default", () => {
  const values = parseConfig(renderConfig(new Map()), "config.toml");
  assert.deepEqual([...values.keys()].sort(), OPTIONS.map(({ key }) => key).sort());
  for (const { key, default: byDefault } of OPTIONS) assert.deepEqual(values.get(key), byDefault, key);
});

test("values given to the writer are those that the reader finds", () => {
  const given = new Map<string, OptionValue>([
    ["moniker", 'quote " and \\ slash'],
    ["p2p.persistent_peers", ["/ip4/192.0.2.1/tcp/26656/p2p/12D3"]],
    ["p2p.gossip_txs", false],
    ["p2p.validator_peers", { AB: "12D3" }],
    ["execution.http_port", 26603],
  ]);
  const values = parseConfig(renderConfig(given), "config.toml");
  for (const [key, value] of given) assert.deepEqual(values.get(key), value, key);
});

test("every option is documented by a comment that names its flag and its variable", () => {
  const text = renderConfig(new Map());
  for (const spec of OPTIONS) {
    assert.ok(spec.comment[0] !== undefined && text.includes(`# ${spec.comment[0]}`), spec.key);
    if (spec.flag !== null) assert.ok(text.includes(`--${spec.flag}`), spec.key);
    if (spec.kind !== "table") assert.ok(text.includes(environmentName(spec)), spec.key);
  }
});

test("an unknown key is refused with file, section and the nearest key", () => {
  const error = refusal(() => parseConfig('[p2p]\npersistent_peer = ["x"]\n', "/h/config.toml"));
  assert.equal(error.exitCode, 3);
  assert.match(
    error.what,
    /^\/h\/config\.toml: unknown key "persistent_peer" in \[p2p\]; did you mean p2p\.persistent_peers\?/,
  );
});

test("an unknown section is refused", () => {
  assert.match(refusal(() => parseConfig("[mempool]\nsize = 1\n", "c")).what, /unknown key "mempool"/);
});

test("regression: a section named like something that every object has is unknown, even when it is empty", () => {
  for (const name of ["toString", "constructor", "hasOwnProperty"]) {
    assert.match(refusal(() => parseConfig(`[${name}]\n`, "c")).what, new RegExp(`unknown key "${name}"`));
  }
});

test("a syntax error names line and column", () => {
  const error = refusal(() => parseConfig('moniker = "a"\nlog_level = \n', "/h/config.toml"));
  assert.equal(error.exitCode, 3);
  assert.match(error.what, /^\/h\/config\.toml:2:\d+: /);
});

test("a value of the wrong kind or out of range is refused with what to write", () => {
  assert.match(refusal(() => parseConfig("halt_height = -1\n", "c")).do, /at least 0/);
  assert.match(refusal(() => parseConfig('halt_height = "1"\n', "c")).do, /whole number/);
  assert.match(refusal(() => parseConfig("[p2p]\nlisten = [1]\n", "c")).do, /list of strings/);
  assert.match(refusal(() => parseConfig("[p2p]\nmax_peers = 0\n", "c")).do, /from 1 to 1000/);
  assert.match(refusal(() => parseConfig("[p2p]\ngossip_txs = 1\n", "c")).do, /true or false/);
});

test("a flag beats a variable, a variable the file, the file the default", () => {
  const source = (value: string) => new Map<string, OptionValue>([["moniker", value]]);
  const empty = new Map<string, OptionValue>();
  const moniker = (...sources: Map<string, OptionValue>[]) => resolveSettings("/h", sources).moniker;
  assert.equal(moniker(source("flag"), source("env"), source("file")), "flag");
  assert.equal(moniker(empty, source("env"), source("file")), "env");
  assert.equal(moniker(empty, empty, source("file")), "file");
  assert.equal(moniker(empty, empty, empty), "validator");
});

test("variables are read by kind, and one without meaning is reported with the nearest", () => {
  const { values, unknown } = environmentValues({
    VALIDATOR_HOME: "/h",
    VALIDATOR_P2P_PERSISTENT_PEERS: "a,b",
    VALIDATOR_HALT_HEIGHT: "9",
    VALIDATOR_P2P_GOSSIP_TXS: "false",
    VALIDATOR_LOG_LEVL: "debug",
    OTHER: "x",
  });
  assert.deepEqual(values.get("p2p.persistent_peers"), ["a", "b"]);
  assert.equal(values.get("halt_height"), 9);
  assert.equal(values.get("p2p.gossip_txs"), false);
  assert.deepEqual(unknown, [{ name: "VALIDATOR_LOG_LEVL", nearest: "VALIDATOR_LOG_LEVEL" }]);
});

test("a variable with a malformed value is refused", () => {
  assert.equal(refusal(() => environmentValues({ VALIDATOR_HALT_HEIGHT: "soon" })).exitCode, 2);
  assert.equal(refusal(() => environmentValues({ VALIDATOR_P2P_GOSSIP_TXS: "1" })).exitCode, 2);
});

test("relative files lie in the home, absolute ones where they say", () => {
  const settings = (file: string) =>
    resolveSettings("/h", [new Map([["execution.jwt_file", file]])]).execution.jwtFile;
  assert.equal(settings("config/jwt.hex"), "/h/config/jwt.hex");
  assert.equal(settings("/etc/jwt.hex"), "/etc/jwt.hex");
});

test("an external client's eth_* URL is its engine's host at port 8545 unless given", () => {
  const execution = (entries: [string, OptionValue][]) => resolveSettings("/h", [new Map(entries)]).execution;
  const engine: [string, OptionValue] = ["execution.client", "http://10.0.0.2:8551"];
  assert.equal(execution([engine]).ethUrl, "http://10.0.0.2:8545");
  assert.equal(execution([engine]).embedded, false);
  assert.equal(
    execution([engine, ["execution.eth_url", "http://10.0.0.2:9545"]]).ethUrl,
    "http://10.0.0.2:9545",
  );
  assert.equal(execution([]).engineUrl, "http://127.0.0.1:8551");
});

test("values that only look right are refused: peers without id, addresses without port, odd URLs", () => {
  const wrong = (key: string, value: OptionValue) =>
    refusal(() => resolveSettings("/h", [new Map([[key, value]])]));
  assert.match(wrong("p2p.persistent_peers", ["/ip4/192.0.2.1/tcp/26656"]).do, /\/p2p\/PEER_ID/);
  assert.match(wrong("p2p.listen", ["0.0.0.0:26656"]).do, /multiaddr/);
  assert.match(wrong("rpc.listen", "26657").do, /HOST:PORT/);
  assert.match(wrong("execution.client", "geth").do, /embedded/);
  assert.match(wrong("log_format", "xml").do, /human or json/);
  assert.match(wrong("moniker", "").do, /1 to 64/);
});

test("an empty listening address switches a server off", () => {
  assert.equal(resolveSettings("/h", [new Map([["metrics.listen", ""]])]).metricsListen, "");
});
