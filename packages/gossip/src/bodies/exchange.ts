import type { BlockId, Height, Proposal, Round } from "@quorate/chain";
import { blockIdEquals, decodeCommit, makePartSet } from "@quorate/chain";
import type { Outcome } from "../admission/admission.ts";
import { GossipError, reasonOf } from "../errors.ts";
import type { ByteStream, Connection, StreamMessage } from "../host/network.ts";
import type { Peer } from "../host/peers.ts";
import { LIMITS } from "../limits.ts";
import { itemsFrame, type WantBody, wantBodyFrame } from "../roundstate/messages.ts";
import { holdsBody } from "../roundstate/plan.ts";
import type { Runtime } from "../runtime.ts";
import { encodeItem, type Item } from "../topics/items.ts";
import type { Router } from "../topics/router.ts";
import { errorOf } from "../wire/ends.ts";
import { idKey } from "../wire/keys.ts";
import { chunkOf } from "../wire/stream-frames.ts";
import { BodySender, type OutgoingBody } from "./sender.ts";
import { BodyDecoder, type BodyHeader } from "./wire.ts";

/** Long-lived, one-way: the dialling side sends. */
export const BODY_PROTOCOL = "/quorate/body/1";

/** Moves bodies: own ones to everybody, missing ones by asking one peer after the other, wanted ones on request. */
export class BodyExchange {
  readonly #runtime: Runtime;
  readonly #router: Router;
  /** Whom a body was asked of last, by block id. */
  readonly #asked = new Map<string, { readonly height: Height; readonly peers: Set<string>; at: number }>();
  /** Bytes of bodies that arrive by direct streams just now. */
  #arriving = 0;

  constructor(runtime: Runtime, router: Router) {
    this.#runtime = runtime;
    this.#router = router;
  }

  async start(): Promise<void> {
    await this.#runtime.network.handle(
      BODY_PROTOCOL,
      (stream, connection) => this.#receive(stream, connection),
      {
        maxInboundStreams: 2,
        maxOutboundStreams: 2,
      },
    );
  }

  /** Own proposal. Small bodies travel inside the message; larger ones directly, and in parts where no link leads. */
  publish(proposal: Proposal, body: Uint8Array): void {
    const { bodies, links, peers } = this.#runtime;
    const { height, round, blockId } = proposal;
    bodies.complete(height, round, blockId, -1);
    const inline = body.length <= LIMITS.inlineBodyBytes;
    this.#router.publish("proposals", { kind: "proposal", proposal, body: inline ? body : null });
    if (inline) return;
    // The proposal leaves before megabytes fill the links.
    this.#router.flush("proposals");
    for (const peer of peers.values()) {
      if (peer.ready && peer.subscribed.has("proposals")) {
        this.send(peer, { height, blockId, proposal, bytes: body });
      }
    }
    if (!links.linkedToAllThere(height)) {
      for (const part of makePartSet(body).parts) {
        this.#router.publish("parts", { kind: "part", height, blockId, part });
      }
    }
  }

  /** One body to one peer: small ones on the peer stream, others on a stream of their own. */
  send(peer: Peer, body: OutgoingBody): void {
    const { height, blockId, bytes } = body;
    if (bytes.length <= LIMITS.inlineBodyBytes) {
      this.#runtime.write(peer, itemsFrame(encodeItem({ kind: "body", height, blockId, bytes })));
      return;
    }
    peer.bodySender ??= new BodySender({
      open: () => peer.connection.newStream(BODY_PROTOCOL),
      sent: (count) => this.#runtime.modules.metrics?.bytes("out", "body", count),
      failed: (error) => {
        this.#runtime.modules.log.debug("sending a body failed", { peer: peer.id, reason: reasonOf(error) });
      },
    });
    peer.bodySender.send(body);
  }

  /** Asks the next peer for every overdue body; answers when to look again, `null` = nothing is missing. */
  ask(now: number): number | null {
    const { bodies, modules } = this.#runtime;
    const { height } = modules.view;
    // Asked after every input, and nearly always nothing is missing.
    const since = bodies.overdueAt(height, 0);
    if (since === null) return null;
    const patienceMs = this.#patienceMs();
    let next = since + patienceMs;
    for (const { round, blockId } of bodies.overdue(height, patienceMs)) {
      this.want(height, round, blockId);
      next = Math.max(next, now + LIMITS.wantBodyRetryMs);
    }
    return next;
  }

  /** A connection that starts slowly is silent for a round trip between two bursts. */
  #patienceMs(): number {
    let farthest = 0;
    for (const peer of this.#runtime.peers.values()) farthest = Math.max(farthest, peer.roundTripMs);
    return LIMITS.wantBodyRetryMs + farthest;
  }

  /** Asks one peer, best first, for a body, unless one was asked just now; each once before any is asked again. */
  want(height: Height, round: Round, blockId: BlockId): void {
    const now = this.#runtime.now();
    for (const [key, { height: past }] of this.#asked) if (past < height) this.#asked.delete(key);
    const key = idKey(blockId);
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      if (this.#asked.size >= LIMITS.wantedBodies) return;
      asked = { height, peers: new Set(), at: Number.NEGATIVE_INFINITY };
      this.#asked.set(key, asked);
    }
    if (now - asked.at < LIMITS.wantBodyRetryMs) return;
    asked.at = now;
    const known = asked.peers;
    const candidates = [...this.#runtime.peers.values()].filter((peer) => peer.ready);
    if (candidates.every((peer) => known.has(peer.id))) known.clear();
    const rank = (peer: Peer): number => {
      const state = peer.roundState;
      if (state === null) return 3;
      if (state.height === height && blockIdEquals(state.proposal, blockId) && holdsBody(state)) return 0;
      if (state.height > height) return 1;
      return 2;
    };
    const [best] = candidates.filter((peer) => !known.has(peer.id)).sort((a, b) => rank(a) - rank(b));
    if (best === undefined) return;
    known.add(best.id);
    this.#runtime.write(best, wantBodyFrame({ height, round, blockId }));
  }

  /** A peer asks for a body. */
  async serve(peer: Peer, want: WantBody): Promise<void> {
    const { modules, now } = this.#runtime;
    if (!peer.wants.take(1, now())) return;
    const { view } = modules;
    if (want.height === view.height) {
      for (const round of new Set([want.round, view.round])) {
        const held = view.proposal(round);
        if (held === null || held.body === null || !blockIdEquals(held.proposal.blockId, want.blockId))
          continue;
        const { proposal, body } = held;
        this.send(peer, { height: want.height, blockId: want.blockId, proposal, bytes: body });
        return;
      }
      return;
    }
    if (want.height < view.height) await this.sendStored(peer, want.height, want.blockId, true);
  }

  /**
   * A decided body from the store; `asked`: of the peer alone it is known that it wants this block, and it may be another
   * that was proposed at that height.
   */
  async sendStored(peer: Peer, height: Height, blockId: BlockId, asked: boolean = false): Promise<void> {
    const { blocks } = await this.#runtime.modules.serve(height, 1, LIMITS.responseBytes);
    const [stored] = blocks;
    if (stored === undefined || stored.height !== height || !this.#runtime.peers.has(peer.id)) return;
    if (asked && !blockIdEquals(decodeCommit(stored.commit).blockId, blockId)) return;
    this.send(peer, { height, blockId, proposal: null, bytes: stored.block });
  }

  #receive(stream: ByteStream, connection: Connection): void {
    const { admission, bodies, clock, modules, report } = this.#runtime;
    const peer = this.#runtime.peers.get(connection.remotePeer.toString());
    if (peer === undefined || peer.connection !== connection) {
      stream.abort(new GossipError("REFUSED", "a body stream without a peer"));
      return;
    }
    let cancelDeadline: (() => void) | null = null;
    let charged = 0;
    const settle = (): void => {
      this.#arriving -= charged;
      charged = 0;
    };
    const accept = (header: BodyHeader): boolean => {
      if (header.proposal !== null) {
        const items: readonly Item[] = [{ kind: "proposal", proposal: header.proposal, body: null }];
        // It may overtake the same one on its topic, which is then forwarded no more; published in the next turn it would be
        // the second of its kind, and parts would pass it.
        const arrived = (outcome: Outcome): void => {
          this.#router.arrived(peer, items, outcome);
          this.#router.flush("proposals");
        };
        const outcome = admission.receive(items, peer);
        if (outcome instanceof Promise) outcome.then(arrived, end);
        else arrived(outcome);
      }
      if (!bodies.wants(header.blockId) || this.#arriving + header.length > LIMITS.collectedBytes)
        return false;
      charged = header.length;
      this.#arriving += charged;
      return true;
    };
    const decoder = new BodyDecoder({
      accept,
      progress: (header) => bodies.progress(header.blockId),
      body: (header, bytes) => {
        settle();
        modules.metrics?.bytes("in", "body", bytes.length);
        const { height, blockId } = header;
        if (bodies.addWhole(height, blockId, bytes, peer.id) === "bad") report(peer.id, "bad_part");
      },
    });
    const end = (error: Error | null): void => {
      stream.removeEventListener("message", onMessage);
      cancelDeadline?.();
      settle();
      if (error !== null) stream.abort(error);
    };
    const onMessage = (event: StreamMessage): void => {
      try {
        decoder.push(chunkOf(event.data));
      } catch (error) {
        end(errorOf(error));
        report(
          peer.id,
          error instanceof GossipError && error.code === "OVERSIZED" ? "oversized" : "malformed",
        );
        return;
      }
      if (cancelDeadline !== null && !decoder.partial) {
        cancelDeadline();
        cancelDeadline = null;
      } else if (cancelDeadline === null && decoder.partial) {
        cancelDeadline = clock.timer(LIMITS.frameTimeoutMs, () => {
          report(peer.id, "timeout");
          end(new GossipError("TIMEOUT", "a peer left a body unfinished"));
        });
      }
    };
    stream.addEventListener("message", onMessage);
    stream.addEventListener("close", () => end(null));
  }
}
