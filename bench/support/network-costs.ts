/** What a message costs on real connections (TCP, Noise, yamux, gossipsub), by counting CPU of real processes. */
import { type ChildProcess, fork } from "node:child_process";
import type { Answer, Order } from "./network-host.ts";

/** CPU µs. */
export interface MessageCosts {
  /** Of the sender, whatever the number of peers; and per peer on top. */
  readonly send: number;
  readonly sendPerPeer: number;
  readonly receive: number;
  /** Per KiB of the message, of the sender per peer and of the receiver. */
  readonly sendPerPeerKib: number;
  readonly receiveKib: number;
}

/** The least of so many: other work on the machine only adds. */
const ROUNDS = 5;
const SMALL = 200;
const LARGE = 32 * 1024 + SMALL;

interface Host {
  readonly child: ChildProcess;
  readonly addresses: readonly string[];
  ask<K extends Answer["kind"]>(order: Order, kind: K): Promise<Extract<Answer, { kind: K }>>;
}

/**
 * Topic messages and stream writes, `count` of them per round, at three per millisecond: about the pace of a
 * validator among a hundred. What the processes spend without any message is taken off.
 */
export async function networkCosts(
  count: number,
): Promise<{ readonly topic: MessageCosts; readonly stream: MessageCosts }> {
  const one = await cases(1, count);
  const three = await cases(3, count);
  const costs = (how: "topic" | "stream"): MessageCosts => {
    const perPeer = (three[how].small.send - one[how].small.send) / 2;
    const kib = (LARGE - SMALL) / 1024;
    return {
      send: one[how].small.send - perPeer,
      sendPerPeer: perPeer,
      receive: three[how].small.receive,
      sendPerPeerKib: (three[how].large.send - three[how].small.send) / 3 / kib,
      receiveKib: (three[how].large.receive - three[how].small.receive) / kib,
    };
  };
  return { topic: costs("topic"), stream: costs("stream") };
}

type Sending = Extract<Order, { readonly kind: "send" }>["how"];

interface Measured {
  readonly send: number;
  readonly receive: number;
}

async function cases(
  receivers: number,
  count: number,
): Promise<Record<"topic" | "stream", Record<"small" | "large", Measured>>> {
  const hosts = await Promise.all(Array.from({ length: receivers + 1 }, start));
  const [sender, ...others] = hosts as [Host, ...Host[]];
  try {
    await sender.ask({ kind: "dial", addresses: others.map(({ addresses }) => addresses[0] ?? "") }, "done");
    const once = async (send: Order): Promise<Measured> => {
      const before = await usages(hosts);
      await sender.ask(send, "done");
      await arrivals(others);
      const after = await usages(hosts);
      const spent = after.map(({ cpuUs }, i) => (cpuUs - (before[i]?.cpuUs ?? 0)) / count);
      const [first = Number.NaN, ...rest] = spent;
      return { send: first, receive: rest.reduce((sum, each) => sum + each, 0) / rest.length };
    };
    const spend = async (how: Sending, bytes: number): Promise<Measured> => {
      const order: Order = { kind: "send", how, bytes, count, everyMs: 1 };
      await once(order);
      const rounds: Measured[] = [];
      for (let round = 0; round < ROUNDS; round++) rounds.push(await once(order));
      return {
        send: Math.min(...rounds.map(({ send }) => send)),
        receive: Math.min(...rounds.map(({ receive }) => receive)),
      };
    };
    const idle = await spend("nothing", SMALL);
    const measured = async (how: Sending, bytes: number): Promise<Measured> => {
      const { send, receive } = await spend(how, bytes);
      return { send: send - idle.send, receive: receive - idle.receive };
    };
    return {
      topic: { small: await measured("topic", SMALL), large: await measured("topic", LARGE) },
      stream: { small: await measured("stream", SMALL), large: await measured("stream", LARGE) },
    };
  } finally {
    for (const { child } of hosts) child.disconnect();
  }
}

function usages(hosts: readonly Host[]): Promise<Extract<Answer, { kind: "usage" }>[]> {
  return Promise.all(hosts.map((host) => host.ask({ kind: "usage" }, "usage")));
}

/** Until nothing more comes. */
async function arrivals(hosts: readonly Host[]): Promise<void> {
  for (let last = -1; ; ) {
    const sum = (await usages(hosts)).reduce((total, { received }) => total + received, 0);
    if (sum === last) return;
    last = sum;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

async function start(): Promise<Host> {
  const child = fork(new URL("./network-host.ts", import.meta.url), { execArgv: process.execArgv });
  const waiting: { kind: Answer["kind"]; resolve: (answer: Answer) => void }[] = [];
  const next = (kind: Answer["kind"]): Promise<Answer> =>
    new Promise((resolve, reject) => {
      waiting.push({ kind, resolve });
      child.once("exit", (code) => reject(new Error(`a network process ended with ${code}`)));
    });
  child.on("message", (answer: Answer) => {
    const at = waiting.findIndex(({ kind }) => kind === answer.kind);
    if (at >= 0) waiting.splice(at, 1)[0]?.resolve(answer);
  });
  child.setMaxListeners(0);
  const listening = await next("listening");
  return {
    child,
    addresses: listening.kind === "listening" ? listening.addresses : [],
    ask: async (order, kind) => {
      const answer = next(kind);
      child.send(order);
      return (await answer) as never;
    },
  };
}
