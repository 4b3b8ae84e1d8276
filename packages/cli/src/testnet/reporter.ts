/** Three ways to tell what happens: NDJSON for programs, lines for logs, a live table for a terminal. */
import type { Io } from "../command.ts";
import type { ChainWatch } from "./chain-watch.ts";
import type { NodeCommit, NodeState } from "./child.ts";
import {
  commitEvent,
  demoEvent,
  doneEvent,
  nodeEvent,
  type ReadyFacts,
  readyEvent,
  type Summary,
} from "./events.ts";
import type { LoadGenerator } from "./load.ts";
import type { Member, Network } from "./network.ts";
import { type NodeSample, residentMib, sampleNode } from "./sample.ts";
import { renderTable, type TableRow } from "./table.ts";

export interface Reporter {
  ready(facts: ReadyFacts): void;
  commit(node: string, commit: NodeCommit, first: boolean): void;
  /** `meant`: its end is part of a demo. */
  node(name: string, state: NodeState, pid: number | null, exit: number | null, meant?: boolean): void;
  demo(step: string, ok: boolean, height: number): void;
  /** A line of a demo's story, for people. */
  tell(text: string): void;
  note(text: string): void;
  done(summary: Summary): void;
  close(): void;
}

/** Events that come before `ready` wait for it, so that `ready` is the first line; a death does not wait. */
const MAX_HELD = 10_000;

export function jsonReporter(io: Io): Reporter {
  const held: object[] = [];
  let ready = false;
  const write = (event: object): void => io.out(`${JSON.stringify(event)}\n`);
  const flush = (): void => {
    ready = true;
    for (const event of held.splice(0)) write(event);
  };
  const emit = (event: object): void => {
    if (ready) write(event);
    else if (held.push(event) >= MAX_HELD) flush();
  };
  return {
    ready(facts) {
      write(readyEvent(facts));
      flush();
    },
    commit: (node, commit) => emit(commitEvent(node, commit)),
    node(name, state, pid, exit) {
      emit(nodeEvent(name, state, pid, exit));
      if (state === "dead") flush();
    },
    demo: (step, ok, height) => emit(demoEvent(step, ok, height)),
    tell: (text) => io.err(`${text}\n`),
    note: (text) => io.err(`${text}\n`),
    done(summary) {
      flush();
      write(doneEvent(summary));
    },
    close: () => undefined,
  };
}

function summaryText(summary: Summary): string {
  return `${summary.heights} heights, ${summary.txsMined} of ${summary.txsSent} transfers mined, ${summary.diverged ? "DIVERGED" : "no divergence"}, ${summary.conflictingSignatures} conflicting signatures; commit after ${summary.latency.p50} ms (p95 ${summary.latency.p95}), interval ${summary.interval.p50} ms (p95 ${summary.interval.p95})\n`;
}

function readyText(facts: ReadyFacts): string {
  const [first] = facts.nodes;
  return `${facts.chainId} runs: ${facts.nodes.length} nodes; eth rpc ${first?.eth_rpc}, EVM chain id ${facts.evmChainId}; development account ${facts.accounts[0]?.address}\n`;
}

function nodeText(
  name: string,
  state: NodeState,
  pid: number | null,
  exit: number | null,
  meant = false,
): string {
  if (state === "dead" && meant) return `${name} stopped itself (exit ${exit})\n`;
  if (state === "dead")
    return `${name} died (exit ${exit}); bring it back with: validator testnet restart ${name}\n`;
  return `${name} ${state}${pid === null ? "" : ` (pid ${pid})`}\n`;
}

export function lineReporter(io: Io): Reporter {
  return {
    ready: (facts) => io.out(readyText(facts)),
    commit(_node, commit, first) {
      if (!first) return;
      io.out(
        `height ${commit.height}  round ${commit.round}  ${commit.txs} txs  block ${commit.blockId.slice(0, 12)}  EL ${(commit.elHash ?? "").slice(0, 14)}  ${commit.ms} ms\n`,
      );
    },
    node: (name, state, pid, exit, meant) => io.out(nodeText(name, state, pid, exit, meant)),
    // Its story has told it.
    demo: () => undefined,
    tell: (text) => io.out(`${text}\n`),
    note: (text) => io.err(`${text}\n`),
    done: (summary) => io.out(summaryText(summary)),
    close: () => undefined,
  };
}

const REDRAW_MS = 500;

function deadWord(network: Network, { child }: Member): string {
  if (!child.launched) return "-";
  return network.stopping ? "stopped" : "dead";
}

/** Redraws in place twice a second; whatever else is said scrolls above the table. */
export function tableReporter(
  io: Io,
  network: Network,
  watch: ChainWatch,
  load: () => LoadGenerator | null,
): Reporter {
  const samples = new Map<string, { sample: NodeSample; memory: readonly (number | null)[] }>();
  const last = new Map<string, { height: number; txs: number; atMs: number }>();
  const stopping = new AbortController();
  let drawn = 0;
  let footer = "starting …";
  const erase = (): string => (drawn === 0 ? "" : `\x1b[${drawn}A\x1b[J`);
  const draw = (above = ""): void => {
    const rows = network.members.map((member): TableRow => {
      const { name } = member.entry;
      const commit = last.get(name);
      const sampled = samples.get(name);
      const dead = member.child.state === "dead";
      return {
        name,
        state: dead ? deadWord(network, member) : member.child.state,
        height: commit?.height ?? member.child.started?.height ?? 0,
        round: dead ? null : (sampled?.sample.round ?? null),
        step: sampled?.sample.step ?? "",
        elHead: dead ? "" : (sampled?.sample.elHead ?? ""),
        txs: commit?.txs ?? 0,
        peers: dead ? null : (sampled?.sample.peers ?? null),
        ageMs: commit === undefined ? null : performance.now() - commit.atMs,
        memoryMib: dead ? [] : (sampled?.memory ?? []),
        warning: member.child.failure ?? member.child.warning ?? "",
      };
    });
    const facts = {
      chainId: network.manifest.chainId,
      height: watch.height,
      sent: load()?.sent ?? 0,
      mined: load()?.mined ?? 0,
      intervalMs: watch.intervals.p50,
      footer,
    };
    const lines = renderTable(facts, rows, io.columns());
    io.out(`${erase()}${above}${lines.join("\n")}\n`);
    drawn = lines.length;
  };
  let sampling = false;
  const sample = async (): Promise<void> => {
    if (sampling) return;
    sampling = true;
    await Promise.all(
      network.members.map(async (member) => {
        const { rpc, el_pid } = network.info(member);
        const timeout = AbortSignal.any([stopping.signal, AbortSignal.timeout(1_000)]);
        const [found, ...memory] = await Promise.all([
          sampleNode(rpc, timeout),
          residentMib(member.child.pid),
          residentMib(el_pid),
        ]);
        samples.set(member.entry.name, { sample: found, memory });
      }),
    );
    sampling = false;
  };
  const timer = setInterval(() => {
    void sample();
    draw();
  }, REDRAW_MS);
  return {
    ready(facts) {
      const [first] = facts.nodes;
      footer = `eth rpc ${first?.eth_rpc}  EVM chain id ${facts.evmChainId}  account ${facts.accounts[0]?.address}  Ctrl-C stops`;
      draw();
    },
    commit(node, { height, txs }) {
      last.set(node, { height, txs, atMs: performance.now() });
    },
    node(name, state, pid, exit, meant) {
      draw(state === "dead" ? nodeText(name, state, pid, exit, meant) : "");
    },
    demo: () => undefined,
    tell: (text) => draw(`${text}\n`),
    note: (text) => draw(`${text}\n`),
    done(summary) {
      draw(summaryText(summary));
    },
    close() {
      clearInterval(timer);
      stopping.abort();
    },
  };
}
