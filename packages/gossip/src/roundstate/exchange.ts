import { evidenceHeight, type Height } from "@quorate/chain";
import { evidenceKey } from "../admission/other.ts";
import type { BodyExchange } from "../bodies/exchange.ts";
import { reasonOf } from "../errors.ts";
import type { Peer } from "../host/peers.ts";
import { LIMITS } from "../limits.ts";
import type { Runtime } from "../runtime.ts";
import { encodeItem, type Item } from "../topics/items.ts";
import { packsOf } from "../topics/outbox.ts";
import type { RoundState } from "../types.ts";
import { countBits } from "./bits.ts";
import { itemsFrame, roundStateFrame, statusFrame } from "./messages.ts";
import { planRepair, type Repair, repairKey } from "./plan.ts";
import { Rest } from "./rest.ts";
import { Snapshots } from "./snapshots.ts";

/** A timer that fires so soon after its time is in time, ms. */
const IN_TIME_MS = 10;

/** Between two lots of evidence to one peer, ms: the unit in which it counts what it takes. */
const EVIDENCE_INTERVAL_MS = 1_000;

/**
 * Tells every peer our round state once it has come to rest, and sends every peer what its own state lacks. A state that
 * goes on changing needs no help and is told now and then only: most of what would be told is outdated on arrival. Driven
 * by events; one timer waits for whatever is due next.
 */
export class RoundStateExchange {
  readonly #runtime: Runtime;
  readonly #bodies: BodyExchange;
  readonly #snapshots = new Snapshots();
  /** Counts changes of our round state. */
  #version = 0;
  #urgent = false;
  readonly #rest = new Rest();
  /** When the loss of a validator's link was last told without waiting, monotonic ms. */
  #lossToldAtMs = Number.NEGATIVE_INFINITY;
  #lastHeight: Height = -1;
  #lastRound = 0;
  #cancelTimer: (() => void) | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /**
   * How late this node was of late for what it had planned: so late is all that it reads and says. What seems missing on a
   * machine short of time is mostly under way, and sent again would only make it shorter.
   */
  #lateMs = 0;
  #cancelWake: (() => void) | null = null;
  #stopped = false;

  constructor(runtime: Runtime, bodies: BodyExchange) {
    this.#runtime = runtime;
    this.#bodies = bodies;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelWake?.();
  }

  /**
   * Our round state changed. In rounds above 0, where something went wrong, the push does not wait for rest; `atOnce` it is
   * written before this returns, for what stops next has no later turn to say it in.
   */
  changed(atOnce: boolean): void {
    const { view } = this.#runtime.modules;
    const now = this.#runtime.now();
    this.#version++;
    this.#rest.changed(now, false);
    if (atOnce) {
      this.#urgent = true;
      this.#pump();
      return;
    }
    this.#keepSnapshot(now);
    if (view.round > 0 && (view.round !== this.#lastRound || view.height !== this.#lastHeight))
      this.#urgent = true;
    this.#lastHeight = view.height;
    this.#lastRound = view.round;
    this.#waitForPush();
  }

  /** Our state changes far more often than it is pushed: most changes only have to know that a timer runs. */
  #waitForPush(): void {
    if (this.#urgent) {
      this.wake();
      return;
    }
    const now = this.#runtime.now();
    // A timer that fires before the state has come to rest is set anew: cheaper than to set it at every change.
    if (this.#timerAtMs <= now + LIMITS.roundStateIntervalMs) return;
    let due = Number.POSITIVE_INFINITY;
    const interval = pushIntervalMs(this.#runtime.peers.size);
    for (const peer of this.#runtime.peers.values()) {
      if (peer.ready) due = Math.min(due, this.#rest.due(peer.pushedAtMs, interval, this.#lateMs));
    }
    if (due <= now) this.wake();
    else if (due < Number.POSITIVE_INFINITY) this.#waitUntil(due);
  }

  /**
   * A peer is ready or gone: all learn our direct links, a new one learns our state at once. That a validator's link is lost
   * does not wait for the next push: when all have said so, its turn costs a round `timeout_propose_absent` only. One that
   * comes and goes all the time makes no more pushes than that of one round state.
   */
  linksChanged(lost: Peer | null): void {
    this.#version++;
    const now = this.#runtime.now();
    this.#rest.changed(now, true);
    if (lost?.validator != null && now - this.#lossToldAtMs >= LIMITS.roundStateIntervalMs) {
      this.#lossToldAtMs = now;
      this.#urgent = true;
    }
    this.wake();
  }

  /** A peer told its state. */
  told(peer: Peer, state: RoundState): void {
    peer.sent.observe(peer.roundState, state);
    peer.roundState = state;
    peer.links = countBits(state.direct);
    peer.toldAtMs = this.#runtime.now();
    peer.observedHeight = Math.max(peer.observedHeight, state.height);
    peer.repairAtMs = peer.toldAtMs;
    this.#runtime.modules.events.peer(peer.info(), "round_state");
    this.wake();
  }

  /** Followers off the vote topics, and peers that stood at the decided height, learn of the commit at once. */
  decided(height: Height): void {
    for (const peer of this.#runtime.peers.values()) {
      if (!peer.ready || peer.subscribed.has("votes")) continue;
      const follows = peer.announcedHeight === height - 1 || peer.roundState?.height === height;
      if (follows && peer.announcedHeight < height) this.#announce(peer, height);
    }
    this.wake();
  }

  /** Looks at everything that is due at the end of this tick. */
  wake(): void {
    if (this.#cancelWake !== null || this.#stopped) return;
    this.#cancelWake = this.#runtime.clock.timer(0, () => {
      this.#cancelWake = null;
      this.#pump();
    });
  }

  #waitUntil(at: number): void {
    if (at >= this.#timerAtMs) return;
    this.#cancelTimer?.();
    this.#timerAtMs = at;
    this.#cancelTimer = this.#runtime.clock.timer(Math.max(1, at - this.#runtime.now()), () => {
      this.#cancelTimer = null;
      const lateMs = Math.max(this.#runtime.now() - at, this.#lateMs / 2);
      this.#lateMs = lateMs < IN_TIME_MS ? 0 : Math.min(LIMITS.roundStateIntervalMaxMs, lateMs);
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      // Not before what waits in the sockets has been read: on a machine that is short of time a state seems at rest, and
      // an item lacking, only because nobody has looked.
      this.wake();
    });
  }

  #pump(): void {
    if (this.#stopped) return;
    const now = this.#runtime.now();
    const interval = pushIntervalMs(this.#runtime.peers.size);
    let next = Number.POSITIVE_INFINITY;
    let encoded: Uint8Array | null = null;
    let own: RoundState | null = null;
    for (const peer of this.#runtime.peers.values()) {
      if (!peer.ready) continue;
      if (peer.pushedVersion !== this.#version) {
        const due = this.#urgent ? now : this.#rest.due(peer.pushedAtMs, interval, this.#lateMs);
        // A peer that does not drain gets the newest state when it does, not every state in between.
        const blocked = peer.stream?.writableNeedsDrain === true;
        if (due <= now && !blocked) {
          own ??= this.#ownState(now);
          encoded ??= roundStateFrame(own);
          this.#runtime.write(peer, encoded);
          peer.pushedAtMs = now;
          peer.pushedVersion = this.#version;
        } else {
          next = Math.min(next, blocked ? now + LIMITS.roundStateIntervalMs : due);
        }
      }
      this.#pushStatus(peer, now);
    }
    this.#urgent = false;
    for (const peer of this.#runtime.peers.values()) {
      if (peer.repairAtMs === null) continue;
      if (peer.repairAtMs <= now) this.#repair(peer, now);
      if (peer.repairAtMs !== null) next = Math.min(next, peer.repairAtMs);
    }
    const offer = this.#offerEvidence(now);
    if (offer !== null) next = Math.min(next, offer);
    const wanted = this.#bodies.ask(now);
    if (wanted !== null) next = Math.min(next, wanted);
    if (next !== Number.POSITIVE_INFINITY) this.#waitUntil(next);
  }

  /** Heights for sync, at a slower pace. */
  #pushStatus(peer: Peer, now: number): void {
    if (now - peer.statusAtMs < LIMITS.statusIntervalMs || peer.stream?.writableNeedsDrain === true) return;
    if (peer.statusHeight === this.#runtime.modules.view.height) return;
    peer.statusHeight = this.#runtime.modules.view.height;
    peer.statusAtMs = now;
    this.#runtime.write(peer, statusFrame(this.#runtime.modules.status()));
  }

  #takeSnapshot(now: number): RoundState {
    const { modules, links } = this.#runtime;
    const given = modules.view.roundState();
    const state: RoundState = { ...given, direct: links.direct(given.height) };
    this.#snapshots.take(state, now);
    return state;
  }

  /** What was held at which time is known also of times at which nothing was told. */
  #keepSnapshot(now: number): void {
    if (now - (this.#snapshots.latestAt() ?? Number.NEGATIVE_INFINITY) >= LIMITS.roundStateIntervalMs) {
      this.#takeSnapshot(now);
    }
  }

  #ownState(now: number): RoundState {
    const state = this.#takeSnapshot(now);
    // Whatever is new here may be what a peer waits for.
    for (const peer of this.#runtime.peers.values()) {
      if (peer.ready && peer.roundState !== null) {
        peer.repairAtMs = Math.min(peer.repairAtMs ?? Number.POSITIVE_INFINITY, now + settleMs(peer));
      }
    }
    return state;
  }

  /**
   * Sends what the peer lacks of what we have held for so long that gossip would have brought it: since before it
   * told its state, or for longer than it takes a peer to tell that it got it. Whoever sent an item to both of us, it
   * reaches the peer at most one way later than us (no detour is shorter), and its word of that takes another way.
   */
  #repair(peer: Peer, now: number): void {
    peer.repairAtMs = null;
    const theirs = peer.roundState;
    if (theirs === null || !peer.ready) return;
    // Its newest votes show that it has moved on; its next state will say so.
    if (peer.observedHeight > theirs.height) return;
    const { height } = this.#runtime.modules.view;
    if (theirs.height > height || theirs.height < height - 1) return;
    if (peer.stream?.writableNeedsDrain === true) {
      peer.repairAtMs = now + LIMITS.roundStateIntervalMs;
      return;
    }
    const settle = this.#settleMs(peer, now);
    const onItsWay = LIMITS.repairGraceMs + peer.roundTripMs + 2 * this.#lateMs;
    const before = Math.max(peer.toldAtMs - onItsWay, now - settle);
    const own = this.#snapshots.newest(before);
    if (own === null || own.height !== height) {
      const newest = this.#snapshots.latestAt();
      if (newest !== null) peer.repairAtMs = Math.max(now + 1, newest + settle);
      return;
    }
    const plan = planRepair(own, theirs, peer.sent, now);
    if (this.#snapshots.latestAt()! > before) peer.repairAtMs = now + settle;
    else peer.repairAtMs = plan.againAtMs;
    const { items } = plan;
    if (items.length === 0) return;
    const sent = this.#send(peer, items, now);
    const next = now + (sent < items.length ? LIMITS.roundStateIntervalMs : LIMITS.repairAgainMs);
    peer.repairAtMs = Math.min(peer.repairAtMs ?? next, next);
  }

  /** As long as our state goes on changing, so may the peer's: it may not have told of what it got. */
  #settleMs(peer: Peer, now: number): number {
    // Late here as there: an item was late on its way, and so is the word that it came.
    const settle = settleMs(peer) + 2 * this.#lateMs;
    if (this.#rest.lasts(now) >= settle) return settle;
    return settle + LIMITS.roundStateIntervalMaxMs - LIMITS.roundStateIntervalMs;
  }

  /** Sends a plan up to the bound of bytes; answers how many items were dealt with. */
  #send(peer: Peer, plan: readonly Repair[], now: number): number {
    const items: Uint8Array[] = [];
    let bytes = 0;
    let done = 0;
    for (const entry of plan) {
      if (bytes > LIMITS.repairBytes) break;
      done++;
      if (entry.kind === "last_commit") {
        peer.sent.record(repairKey(entry), now);
        this.#announce(peer, entry.height);
        continue;
      }
      const item = this.#itemOf(entry);
      // Not ours to send now, but perhaps in a moment.
      if (item === null) continue;
      peer.sent.record(repairKey(entry), now);
      const encoded = encodeItem(item);
      items.push(encoded);
      bytes += encoded.length;
    }
    for (const pack of packsOf(items, LIMITS.packItems, LIMITS.packBytes)) {
      this.#runtime.modules.metrics?.bytes("out", "repair", pack.length);
      this.#runtime.write(peer, itemsFrame(pack));
    }
    return done;
  }

  /**
   * Evidence that waits for a block goes once to every peer that has decided its height, in small lots: what a topic
   * lost, or was published before the peer came, reaches it so. Answers when the next lot is due.
   */
  #offerEvidence(now: number): number | null {
    const list = this.#runtime.modules.view.evidence();
    if (list.length === 0) return null;
    let next: number | null = null;
    for (const peer of this.#runtime.peers.values()) {
      const at = peer.roundState?.height ?? 0;
      if (!peer.ready || peer.stream?.writableNeedsDrain === true) continue;
      const lacking = list.filter(
        (evidence) => evidenceHeight(evidence) < at && !peer.evidenceSent.has(evidenceKey(evidence)),
      );
      if (lacking.length === 0) continue;
      const due = peer.evidenceAtMs + EVIDENCE_INTERVAL_MS;
      if (due > now) {
        next = Math.min(next ?? due, due);
        continue;
      }
      peer.evidenceAtMs = now;
      const lot = lacking.slice(0, LIMITS.evidenceOffered);
      for (const evidence of lot) {
        peer.evidenceSent.add(evidenceKey(evidence));
        const pack = encodeItem({ kind: "evidence", evidence });
        this.#runtime.modules.metrics?.bytes("out", "repair", pack.length);
        this.#runtime.write(peer, itemsFrame(pack));
      }
      if (lacking.length > lot.length) {
        next = Math.min(next ?? now + EVIDENCE_INTERVAL_MS, now + EVIDENCE_INTERVAL_MS);
      }
    }
    return next;
  }

  #itemOf(entry: Exclude<Repair, { kind: "last_commit" }>): Item | null {
    const { view } = this.#runtime.modules;
    switch (entry.kind) {
      case "vote": {
        const vote = view.vote(entry.round, entry.type, entry.index);
        return vote === null ? null : { kind: "vote", vote };
      }
      case "certificate": {
        const certificate = view.certificate(entry.round, entry.type);
        return certificate === null ? null : { kind: "certificate", certificate };
      }
      case "proposal": {
        const held = view.proposal(entry.round);
        if (held === null) return null;
        const inline = entry.withBody && held.body !== null && held.body.length <= LIMITS.inlineBodyBytes;
        return { kind: "proposal", proposal: held.proposal, body: inline ? held.body : null };
      }
      case "part": {
        const part = view.part(entry.blockId, entry.index);
        return part === null ? null : { kind: "part", height: view.height, blockId: entry.blockId, part };
      }
    }
  }

  /** Commit, proposal and body of our last height: a peer one height behind decides it without block sync. */
  #announce(peer: Peer, height: Height): void {
    const last = this.#runtime.modules.view.lastCommit();
    if (last === null || last.height !== height) return;
    const { certificate, proposal } = last;
    peer.announcedHeight = Math.max(peer.announcedHeight, height);
    const items = [encodeItem({ kind: "certificate", certificate })];
    if (proposal !== null) items.unshift(encodeItem({ kind: "proposal", proposal, body: null }));
    for (const pack of packsOf(items, LIMITS.packItems, LIMITS.packBytes)) {
      this.#runtime.write(peer, itemsFrame(pack));
    }
    if (certificate.blockId === null || peer.repairing) return;
    peer.repairing = true;
    this.#bodies
      .sendStored(peer, height, certificate.blockId)
      .catch((error: unknown) => {
        this.#runtime.modules.log.warn("a decided block could not be read for a peer", {
          height,
          reason: reasonOf(error),
        });
      })
      .finally(() => {
        peer.repairing = false;
      });
  }
}

/** Between two pushes of a round state to one of so many peers. */
export function pushIntervalMs(peers: number): number {
  const crowded = LIMITS.roundStateIntervalMs * Math.max(1, peers / LIMITS.roundStatePeers);
  return Math.min(LIMITS.roundStateIntervalMaxMs, crowded);
}

/** How long an item must be held here before a peer that tells its state as it comes to rest surely never got it. */
function settleMs(peer: Peer): number {
  const slower = pushIntervalMs(peer.links) - LIMITS.roundStateIntervalMs;
  return LIMITS.repairSettleMs + slower + peer.roundTripMs;
}
