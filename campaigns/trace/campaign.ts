/**
 * R13: four validators as processes of their own, without execution clients, decide heights; for every signature that
 * went out, the sync of its slot, of the log up to its cause, and for a precommit of a block of that block's body, ended
 * before the bytes were handed to the connection.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { makeNetwork } from "../../packages/node/test/support/homes.ts";
import { type CampaignOptions, type CampaignReport, Tally } from "../support/report.ts";
import type { TraceLine } from "./tracer.ts";

const HEIGHTS = { all: 1_000, share: 20 };
const BLOCK_INTERVAL_MS = 20;
const EVERY = 5;
const VALIDATORS = 4;
/** A network that decides nothing for so long has failed, ms. */
const PATIENCE_MS = 120_000;

export async function traceCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const tally = new Tally();
  const heights = options.all ? HEIGHTS.all : HEIGHTS.share;
  const network = await makeNetwork(VALIDATORS, BLOCK_INTERVAL_MS);
  const traces = join(network.dir, "traces");
  try {
    await mkdir(traces);
    await run(
      network.configs.map((config) => JSON.stringify(config)),
      traces,
      heights,
      options.progress,
    );
    const files = (await readdir(traces)).map((name) => ({ name, pid: name.split("-")[0] ?? "" }));
    for (const pid of new Set(files.map((file) => file.pid))) {
      const lines: TraceLine[] = [];
      for (const { name } of files.filter((file) => file.pid === pid)) {
        for (const line of (await readFile(join(traces, name), "utf8")).split("\n")) {
          if (line !== "") lines.push(JSON.parse(line) as TraceLine);
        }
      }
      judge(lines, tally);
    }
  } finally {
    await network.free();
  }
  tally.count("heights", heights);
  return tally.report("trace", ["R13"], options);
}

async function run(
  configs: readonly string[],
  traces: string,
  heights: number,
  progress: (line: string) => void,
): Promise<void> {
  const host = new URL("../../bench/support/host.ts", import.meta.url).pathname;
  const tracer = new URL("./tracer.ts", import.meta.url).href;
  const children = configs.map((config) =>
    fork(host, [config, String(EVERY)], {
      execArgv: [...process.execArgv.filter((arg) => !arg.startsWith("--test")), `--import=${tracer}`],
      env: { ...process.env, QUORATE_SYNC_TRACE: traces },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    }),
  );
  try {
    await Promise.all(children.map((child) => reaches(child, heights, progress)));
  } finally {
    await Promise.all(children.map(stopped));
  }
}

function reaches(child: ChildProcess, heights: number, progress: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new Error(`the network decided nothing for ${PATIENCE_MS / 1000} s`));
    let timer = setTimeout(late, PATIENCE_MS);
    child.on("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`a node ended with ${code}`));
    });
    child.on("message", (message: { readonly height?: number }) => {
      clearTimeout(timer);
      const height = message.height ?? 0;
      if (height % 250 === 0) progress(`trace: height ${height}`);
      if (height >= heights) resolve();
      else timer = setTimeout(late, PATIENCE_MS);
    });
  });
}

function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

/** `lines`: of one process. */
function judge(lines: readonly TraceLine[], tally: Tally): void {
  const inOrder = [...lines].sort((a, b) => (BigInt(a.t) < BigInt(b.t) ? -1 : 1));
  const slots = new Map<string, Extract<TraceLine, { kind: "slot" }>>();
  const bodies = new Set<string>();
  let log = 0n;
  for (const line of inOrder) {
    switch (line.kind) {
      case "slot":
        slots.set(line.signature, line);
        break;
      case "log":
        if (BigInt(line.sequence) > log) log = BigInt(line.sequence);
        break;
      case "body":
        bodies.add(line.block);
        break;
      case "out": {
        tally.cases++;
        const slot = slots.get(line.signature);
        if (slot === undefined) {
          tally.violation(`signature ${line.signature.slice(0, 16)}…`, "went out before its slot was synced");
          break;
        }
        const where = `height ${slot.height} round ${slot.round} step ${slot.step}`;
        tally.count(["proposals", "prevotes", "precommits"][slot.step] ?? "others");
        if (log < BigInt(slot.cause))
          tally.violation(where, "went out before the log was synced up to its cause");
        if (slot.block !== null && !bodies.has(slot.block))
          tally.violation(where, "went out before the body of its block was synced");
      }
    }
  }
  tally.count("signatures synced", slots.size);
}
