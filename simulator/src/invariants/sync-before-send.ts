import { decodeStateFile } from "@quorate/privval";
import { PATHS } from "../cluster/process.ts";
import { proposalName, voteName } from "../network/describe.ts";
import { isVote, type MakeLaw } from "./law.ts";

/** Bytes before the payload of a log record; its sequence lies 6 bytes in, its length at the start. */
const RECORD_HEADER_BYTES = 22;
const SEGMENT_HEADER_BYTES = 32;

interface LogProgress {
  /** Highest sequence handed to the file system, per file and not yet synced. */
  readonly written: Map<string, bigint>;
  synced: bigint;
}

/**
 * Nothing signed leaves before a sync has put it on disk: a slot of the sign state that covers it, and the log up to the
 * record that this slot names as its cause. What is on disk is asked of the disk, not of the node.
 */
export const syncBeforeSend: MakeLaw = ({ cluster, violated, honest }) => {
  const progress = cluster.members.map((): LogProgress => ({ written: new Map(), synced: 0n }));
  for (const [node, { disk }] of cluster.members.entries()) {
    const log = progress[node] as LogProgress;
    disk.files.watch = {
      wrote(path, offset, bytes) {
        if (!path.startsWith(PATHS.wal)) return;
        const last = lastSequence(bytes, offset === 0 ? SEGMENT_HEADER_BYTES : 0);
        if (last !== null) log.written.set(path, last);
      },
      synced(path) {
        const last = log.written.get(path);
        if (last !== undefined && last > log.synced) log.synced = last;
        log.written.delete(path);
      },
    };
  }
  /** What was found durable once needs no second look. */
  const proven = cluster.members.map(() => new Set<string>());
  return {
    spoke(node, message) {
      if (!honest(node)) return;
      const { height, round } = message;
      const step = isVote(message) ? message.type : 0;
      const key = `${height}/${round}/${step}`;
      if (proven[node]?.has(key) === true) return;
      const name = isVote(message) ? voteName(message) : proposalName(message);
      const bytes = cluster.member(node).disk.files.durable(PATHS.signState);
      const state = bytes === null ? null : decodeStateFile(bytes);
      const signed = state?.state.lastSigned ?? null;
      if (state === null || signed === null) {
        violated(`node ${node} sent ${name} without a sign state on disk`, [node]);
        return;
      }
      const covered =
        signed.height > height ||
        (signed.height === height &&
          (signed.round > round || (signed.round === round && signed.step >= step)));
      if (!covered) {
        violated(`node ${node} sent ${name} before its slot was synced`, [node]);
      } else if (isVote(message) && step === 2 && message.blockId !== null) {
        const { lock } = state.state;
        if (lock === null || lock.height < height || (lock.height === height && lock.round < round)) {
          violated(`node ${node} sent ${name} and its lock is not on disk`, [node]);
        }
      }
      const { sequence } = state.state.dependency;
      if (sequence > (progress[node]?.synced ?? 0n)) {
        violated(`node ${node} sent ${name} before its cause (log record ${sequence}) was synced`, [node]);
      }
      proven[node]?.add(key);
    },
  };
};

/** Sequence of the last of the records in one write; `null` when there is none. */
function lastSequence(bytes: Uint8Array, from: number): bigint | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let last: bigint | null = null;
  for (let at = from; at + RECORD_HEADER_BYTES <= bytes.length; ) {
    const sequence = view.getBigUint64(at + 6);
    if (sequence === 0n) break;
    last = sequence;
    at += RECORD_HEADER_BYTES + view.getUint32(at);
  }
  return last;
}
