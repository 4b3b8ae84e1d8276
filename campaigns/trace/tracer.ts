/**
 * Preloaded into a node's process and its writer thread: notes when a signature, its cause and its block's body were
 * synced, and when its bytes were handed to the cipher of a connection, all by one monotonic clock. The node's own code
 * is not changed; the system calls and the cipher are listened to.
 */
import crypto from "node:crypto";
import fs from "node:fs";
import { registerHooks, syncBuiltinESMExports } from "node:module";
import { isMainThread, threadId } from "node:worker_threads";
import { decodeSlot, SLOT_BYTES } from "../../packages/privval/src/slots.ts";
import { findBodies } from "../../packages/store/src/body-format.ts";
import { decodeSegmentHeader, HEADER_BYTES, readRecord } from "../../packages/wal/src/format.ts";

/** A line of the trace; `t` in ns. */
export type TraceLine =
  | { readonly t: string; readonly kind: "out"; readonly signature: string }
  | {
      readonly t: string;
      readonly kind: "slot";
      readonly signature: string;
      readonly height: number;
      readonly round: number;
      readonly step: number;
      readonly cause: string;
      /** Hash of the block of a precommit that locks. */
      readonly block: string | null;
    }
  | { readonly t: string; readonly kind: "log"; readonly sequence: string }
  | { readonly t: string; readonly kind: "body"; readonly block: string };

type Untimed = TraceLine extends infer Line ? (Line extends TraceLine ? Omit<Line, "t"> : never) : never;

const directory = process.env["QUORATE_SYNC_TRACE"];
const { writeSync, fdatasyncSync, openSync } = fs;
/** Own signatures that are looked for in what goes out. */
const RECENT = 32;
const SIGNATURE_BYTES = 64;
const NETWORK_DOMAINS: readonly string[] = ["noise-libp2p-static-key:", "libp2p-peer-record"];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

if (directory !== undefined) {
  const file = openSync(`${directory}/${process.pid}-${threadId}.ndjson`, "a");
  const note = (line: Untimed): void => {
    writeSync(file, `${JSON.stringify({ t: String(process.hrtime.bigint()), ...line })}\n`);
  };
  if (isMainThread) watchOutput(note);
  else watchDisk(note);
  syncBuiltinESMExports();
}

/** The bytes that a connection encrypts: what comes later is on its way to the socket. */
function watchOutput(note: (line: Untimed) => void): void {
  const own: Buffer[] = [];
  const { sign } = crypto;
  crypto.sign = ((...args: Parameters<typeof sign>) => {
    const signature: unknown = Reflect.apply(sign, crypto, args);
    if (!Buffer.isBuffer(signature)) return signature;
    // The network's own key introduces the node to its peers; that is no message of a validator.
    if (NETWORK_DOMAINS.some((domain) => Buffer.from(args[1] as Uint8Array).includes(domain)))
      return signature;
    own.push(Buffer.from(signature));
    if (own.length > RECENT) own.shift();
    return signature;
  }) as typeof sign;
  const seen = new Set<string>();
  const out = (plaintext: { subarray(): Uint8Array }): void => {
    const bytes = Buffer.from(plaintext.subarray());
    for (const signature of own) {
      if (!bytes.includes(signature)) continue;
      const text = hex(signature);
      if (!seen.has(text)) note({ kind: "out", signature: text });
      seen.add(text);
    }
  };
  watchLongMessages(out);
  Object.assign(globalThis, { quorateOut: out });
  const place =
    "chaCha20Poly1305Encrypt(plaintext, nonce, ad, k) {\n        if (plaintext.byteLength < 1200)";
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.endsWith("libp2p-noise/dist/src/crypto/index.js")) return loaded;
      const source = String(loaded.source);
      if (!source.includes(place)) throw new Error("the cipher of a connection is not where it was");
      return {
        ...loaded,
        source: source.replace(
          place,
          place.replace("if (", "globalThis.quorateOut(plaintext);\n        if ("),
        ),
      };
    },
  });
}

/** Those that Node's own cipher takes, piece by piece: a signature may lie in two of them. */
function watchLongMessages(out: (plaintext: Uint8Array) => void): void {
  const { createCipheriv } = crypto;
  crypto.createCipheriv = ((...args: Parameters<typeof createCipheriv>) => {
    const cipher = Reflect.apply(createCipheriv, crypto, args);
    if (String(args[0]) !== "chacha20-poly1305") return cipher;
    const { update } = cipher;
    let before: Uint8Array = new Uint8Array(0);
    cipher.update = ((piece: Uint8Array) => {
      const bytes = Buffer.concat([before, piece]);
      out(bytes);
      before = bytes.subarray(Math.max(0, bytes.length - (SIGNATURE_BYTES - 1)));
      return Reflect.apply(update, cipher, [piece]) as Buffer;
    }) as typeof update;
    return cipher;
  }) as typeof createCipheriv;
}

/** What each file's next sync makes durable. */
function watchDisk(note: (line: Untimed) => void): void {
  const names = new Map<number, string>();
  const unsynced = new Map<number, Untimed[]>();
  fs.openSync = ((...args: Parameters<typeof openSync>) => {
    const fd = openSync(...args);
    names.set(fd, String(args[0]));
    return fd;
  }) as typeof openSync;
  fs.writeSync = ((...args: [number, Uint8Array, number, number, number]) => {
    const written = Reflect.apply(writeSync, fs, args) as number;
    const [fd, bytes, from] = args;
    const lines = contentOf(names.get(fd) ?? "", bytes.subarray(from, from + written));
    unsynced.set(fd, [...(unsynced.get(fd) ?? []), ...lines]);
    return written;
  }) as typeof writeSync;
  fs.fdatasyncSync = (fd: number): void => {
    fdatasyncSync(fd);
    for (const line of unsynced.get(fd) ?? []) note(line);
    unsynced.delete(fd);
  };
}

function contentOf(file: string, bytes: Uint8Array): Untimed[] {
  if (file.endsWith("priv_validator_state.bin") && bytes.length === SLOT_BYTES) {
    const state = decodeSlot(bytes)?.state;
    const last = state?.lastSigned ?? null;
    if (state === undefined || last === null) return [];
    const { height, round, step } = last;
    const locks =
      state.lock !== null && step === 2 && state.lock.height === height && state.lock.round === round;
    const block = locks && state.lock !== null ? hex(state.lock.blockId.hash) : null;
    const cause = String(state.dependency.sequence);
    return [{ kind: "slot", signature: hex(last.signature), height, round, step, cause, block }];
  }
  if (file.endsWith(".wal")) {
    let at = decodeSegmentHeader(bytes) === null ? 0 : HEADER_BYTES;
    let last = 0n;
    for (let record = readRecord(bytes, at); record !== null; record = readRecord(bytes, at)) {
      last = record.sequence;
      at = record.end;
    }
    return last === 0n ? [] : [{ kind: "log", sequence: String(last) }];
  }
  if (file.endsWith(".blk")) {
    return [...findBodies(bytes, 0)].map(({ blockId }) => ({ kind: "body", block: hex(blockId.hash) }));
  }
  return [];
}
