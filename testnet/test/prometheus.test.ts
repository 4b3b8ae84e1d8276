/**
 * Prometheus and promtool as judges of what this repository gives them: metrics, rules, dashboard, the file that a local
 * network writes. Where they are missing the tests that need them are skipped and say so.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { prometheusFile } from "../../packages/cli/src/testnet/files.ts";
import { createMetrics } from "../../packages/node/src/metrics/index.ts";
import { freePort, makeNetwork, startNode } from "../../packages/node/test/support/homes.ts";
import { findTool, runTool } from "../../packages/node/test/support/prometheus.ts";

const CONFIG = join(import.meta.dirname, "..", "..", "config");
const RULES = join(CONFIG, "rules", "quorate.yml");
const promtool = await findTool("promtool");
const prometheus = await findTool("prometheus");
const withoutPromtool = promtool.kind === "absent" ? promtool.reason : false;

async function judge(args: readonly string[]): Promise<void> {
  assert.equal(promtool.kind, "found");
  const { code, output } = await runTool(promtool.path, args);
  assert.equal(code, 0, output);
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "quorate-prometheus-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("promtool accepts the production configuration and its rules", { skip: withoutPromtool }, async () => {
  await judge(["check", "config", join(CONFIG, "prometheus.yml")]);
  await judge(["check", "rules", RULES]);
});

test("every alert fires when it should and keeps quiet when it should", {
  skip: withoutPromtool,
}, async () => {
  await judge(["test", "rules", join(CONFIG, "rules", "quorate.test.yml")]);
});

test("promtool accepts what a local network writes into its home", { skip: withoutPromtool }, async () => {
  const text = prometheusFile({
    chainId: "quorate-local",
    evmChainId: 1337,
    genesisHash: "",
    basePort: 26600,
    blockIntervalMs: 1000,
    gasLimit: 15_000_000,
    stake: false,
    unbondingS: 172_800,
    el: "embedded",
    nodes: [0, 1].map((index) => ({
      name: `node${index}`,
      index,
      validator: index === 0,
      peerId: "",
      address: "",
    })),
  });
  await inFolder(async (folder) => {
    const file = join(folder, "prometheus.yml");
    await writeFile(file, text);
    await judge(["check", "config", file]);
  });
});

interface Panel {
  readonly targets?: readonly { readonly expr: string }[];
}

/** Every expression of the dashboard, its variables filled in. */
async function dashboardExpressions(): Promise<readonly string[]> {
  const document = JSON.parse(await readFile(join(CONFIG, "grafana", "quorate.json"), "utf8")) as {
    readonly panels: readonly Panel[];
  };
  return document.panels.flatMap(({ targets = [] }) =>
    targets.map(({ expr }) => expr.replaceAll("$chain_id", "quorate-test").replaceAll("$instance", ".*")),
  );
}

test("rules and dashboard name only metrics that nodes have and rules that are recorded", async () => {
  const rules = await readFile(RULES, "utf8");
  const metrics = createMetrics("quorate-test", "0.0.0");
  const families = [...(await metrics.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  metrics.close();
  const known = new Set([...rules.matchAll(/- record: (\S+)/g)].map(([, name]) => name));
  for (const [, name, type] of families) {
    known.add(name);
    if (type === "histogram") for (const part of ["bucket", "sum", "count"]) known.add(`${name}_${part}`);
  }
  const code = rules
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .join("\n");
  const text = [code, ...(await dashboardExpressions())].join("\n");
  const used = new Set(
    [...text.matchAll(/\b(?:cometbft_|quorate_|process_|quorate:)[a-z0-9_:]+/g)].map(String),
  );
  assert.ok(used.size > 40);
  assert.deepEqual(
    [...used].filter((name) => !known.has(name)),
    [],
  );
});

/** Asks until the answer is there; the runner's own time limit ends a wait for something that never comes. */
async function until<T>(look: () => Promise<T | null>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    await pause(100);
  }
}

class PrometheusApi {
  readonly #base: string;

  constructor(port: number) {
    this.#base = `http://127.0.0.1:${port}/api/v1`;
  }

  /** `null` while it does not answer. */
  async get(path: string): Promise<unknown> {
    try {
      const response = await fetch(`${this.#base}/${path}`);
      const answer = (await response.json()) as { readonly status: string; readonly data: unknown };
      return answer.status === "success" ? answer.data : null;
    } catch {
      // It starts up, or the connection was cut: the caller asks again.
      return null;
    }
  }

  async targets(): Promise<readonly { readonly health: string; readonly lastError: string }[]> {
    const data = (await this.get("targets?state=active")) as {
      readonly activeTargets: readonly { readonly health: string; readonly lastError: string }[];
    } | null;
    return data?.activeTargets ?? [];
  }

  async rules(): Promise<
    readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]
  > {
    const data = (await this.get("rules")) as {
      readonly groups: readonly {
        readonly rules: readonly {
          readonly name: string;
          readonly health: string;
          readonly lastError?: string;
        }[];
      }[];
    } | null;
    return data?.groups.flatMap((group) => group.rules) ?? [];
  }

  /** Value per instance; `null` when the query is refused. */
  async query(expression: string): Promise<ReadonlyMap<string, number> | null> {
    const data = (await this.get(`query?query=${encodeURIComponent(expression)}`)) as {
      readonly result: readonly {
        readonly metric: { readonly instance?: string };
        readonly value: readonly [number, string];
      }[];
    } | null;
    if (data === null) return null;
    return new Map(data.result.map(({ metric, value }) => [metric.instance ?? "", Number(value[1])]));
  }
}

function startPrometheus(path: string, folder: string, port: number): ChildProcess {
  return spawn(
    path,
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: "ignore" },
  );
}

test("a Prometheus scrapes four nodes: all are up, their heights rise, every rule evaluates, the dashboard's queries hold", {
  skip: prometheus.kind === "absent" ? prometheus.reason : false,
  timeout: 600_000,
}, async () => {
  assert.equal(prometheus.kind, "found");
  const network = await makeNetwork(4, 200);
  const nodes = await Promise.all(network.configs.map((config) => startNode(config)));
  const port = await freePort();
  const api = new PrometheusApi(port);
  try {
    await inFolder(async (folder) => {
      const targets = nodes.map(({ node }) => new URL(node.started.metrics).host);
      await writeFile(
        join(folder, "prometheus.yml"),
        [
          "global: { scrape_interval: 1s, evaluation_interval: 1s }",
          `rule_files: [${JSON.stringify(RULES)}]`,
          "scrape_configs:",
          `  - { job_name: quorate, static_configs: [{ targets: ${JSON.stringify(targets)} }] }`,
          "",
        ].join("\n"),
      );
      const server = startPrometheus(prometheus.path, folder, port);
      const gone = once(server, "exit").then(([code]) => {
        throw new Error(`Prometheus ended with ${code}`);
      });
      try {
        await Promise.race([gone, watch(api)]);
      } finally {
        gone.catch(() => undefined);
        if (server.exitCode === null && server.kill("SIGTERM")) await once(server, "exit");
      }
    });
  } finally {
    await Promise.all(nodes.map(({ node }) => node.stop()));
    await network.free();
  }
});

async function watch(api: PrometheusApi): Promise<void> {
  await until(async () => {
    const targets = await api.targets();
    return targets.length === 4 && targets.every(({ health }) => health === "up") ? targets : null;
  });
  const first = await until(async () => {
    const heights = await api.query("cometbft_consensus_height");
    return heights?.size === 4 ? heights : null;
  });
  await until(async () => {
    const heights = await api.query("cometbft_consensus_height");
    const risen = [...first].every(([instance, height]) => (heights?.get(instance) ?? 0) >= height + 3);
    return risen ? heights : null;
  });
  const rules = await until(async () => {
    const found = await api.rules();
    return found.length > 0 && found.every(({ health }) => health !== "unknown") ? found : null;
  });
  assert.deepEqual(
    rules.filter(({ health }) => health !== "ok"),
    [],
  );
  for (const expression of await dashboardExpressions()) {
    assert.notEqual(await api.query(expression), null, expression);
  }
  assert.equal((await api.query("quorate:chain_height:max"))?.size, 1);
  assert.equal((await api.query("up == 1"))?.size, 4);
}
