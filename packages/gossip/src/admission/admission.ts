import type { Certificate, Evidence, Height, Proposal, Vote } from "@quorate/chain";
import type { SignatureCheck } from "@quorate/crypto";
import { reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { OFFENCES } from "../scoring/table.ts";
import type { Item, ItemKind } from "../topics/items.ts";
import { decodePack } from "../topics/items.ts";
import type { TopicKind } from "../topics/names.ts";
import type { Offence } from "../types.ts";
import { idKey } from "../wire/keys.ts";
import { certificateKey, examineCertificate } from "./certificate.ts";
import type { AdmissionContext, Source } from "./context.ts";
import type { Examination, Verify } from "./examination.ts";
import { evidenceKey, examineEvidence, examineTx, txKey } from "./other.ts";
import { examineBody, examinePart } from "./parts.ts";
import { examineProposal } from "./proposal.ts";
import { examineVote } from "./vote.ts";

/** Verdict on one message and what it rests on. */
export interface Outcome {
  /** Worst offence found; good items of the same pack were delivered all the same. */
  readonly offence: Offence | null;
  /** Items delivered or held for the first time. */
  readonly fresh: number;
  /** Validators (by set index) whose messages were fresh: decides about forwarding. */
  readonly origins: readonly number[];
  /** Something fresh has no single origin (evidence, transactions): always forwarded. */
  readonly spread: boolean;
}

const ALLOWED: Readonly<Record<TopicKind, ReadonlySet<ItemKind>>> = {
  proposals: new Set<ItemKind>(["proposal"]),
  parts: new Set<ItemKind>(["part"]),
  votes: new Set<ItemKind>(["vote", "certificate"]),
  evidence: new Set<ItemKind>(["evidence"]),
  txs: new Set<ItemKind>(["tx"]),
};

const PRIORITY_LIVE = 10;

/**
 * From so many signatures on one of a group, chosen at random, is verified before the others: the group of a forger then
 * costs one, and not the halving down to each of its culprits, which takes five times as long as a good group.
 */
const PROBED_FROM = 8;

const NOTHING: Outcome = { offence: null, fresh: 0, origins: [], spread: false };
const FLOOD: Outcome = { ...NOTHING, offence: "flood" };

/** Signatures gathered in a turn, about 1 ms of work: what comes beyond makes the next batch. */
const GATHERED = 32;

/** Votes of one frame that wait for the end of the turn. */
interface Gathered {
  readonly examined: readonly Examination[];
  readonly concluded: (outcome: Outcome) => void;
}

/**
 * The one way into the node for messages of consensus, whatever carried them: decoding, window, duplicates, then
 * signatures, then delivery. Synchronous unless a group of signatures goes to the worker pool.
 */
export class Admission {
  readonly #context: AdmissionContext;
  #height: Height = -1;
  #gathered: Gathered[] = [];
  #gatheredChecks = 0;

  constructor(context: AdmissionContext) {
    this.#context = context;
  }

  /** A message of a topic. Garbage is an outcome, never an exception. */
  receivePack(topic: TopicKind, bytes: Uint8Array, source: Source): Outcome | Promise<Outcome> {
    const maxItems = topic === "txs" ? LIMITS.txPackItems : LIMITS.packItems;
    if (bytes.length > LIMITS.frameBytes) return { ...NOTHING, offence: "oversized" };
    let items: Item[];
    try {
      items = decodePack(bytes, ALLOWED[topic], maxItems);
    } catch (error) {
      this.#context.log.debug("malformed gossip message", {
        topic,
        peer: source.id,
        reason: reasonOf(error),
      });
      return { ...NOTHING, offence: "malformed" };
    }
    return this.receive(items, source);
  }

  /** Decoded items, from a pack or from a peer's repair. */
  receive(items: readonly Item[], source: Source): Outcome | Promise<Outcome> {
    const examined = this.#examineAll(items, source);
    if (examined === null) return FLOOD;
    const checks = checksOf(examined).length;
    if (checks === 0 || this.#context.verifier.suitsNow(checks)) {
      const { verifier } = this.#context;
      return this.#conclude(examined, (found) => found.checks.every((check) => verifier.verifyNow(check)));
    }
    return this.#verifyInPool(examined, checks, source);
  }

  /**
   * Takes a few votes to verify them in one batch with what else this turn brings from other peers; `concluded` is told at
   * its end. False: they are none that wait, and nothing was done. What follows from the same peer may overtake them.
   */
  gather(items: readonly Item[], source: Source, concluded: (outcome: Outcome) => void): boolean {
    const { verifier, atTurnEnd } = this.#context;
    if (verifier.verifyTogether === undefined || !items.every(({ kind }) => kind === "vote")) return false;
    if (!verifier.suitsNow(items.length)) return false;
    const examined = this.#examineAll(items, source);
    if (examined === null) {
      concluded(FLOOD);
      return true;
    }
    const checks = checksOf(examined).length;
    if (checks === 0) {
      concluded(this.#conclude(examined, () => false));
      return true;
    }
    if (this.#gatheredChecks === 0) atTurnEnd(() => this.#verifyGathered());
    this.#gathered.push({ examined, concluded });
    this.#gatheredChecks += checks;
    if (this.#gatheredChecks >= GATHERED) this.#verifyGathered();
    return true;
  }

  /** The signatures of all that was gathered, as one batch. */
  #verifyGathered(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    this.#gathered = [];
    this.#gatheredChecks = 0;
    const { verifier } = this.#context;
    const checks = gathered.flatMap(({ examined }) => checksOf(examined));
    const verdicts = verifier.verifyTogether?.(checks) ?? checks.map((check) => verifier.verifyNow(check));
    let next = 0;
    for (const { examined, concluded } of gathered) {
      // A vote is one check.
      concluded(this.#conclude(examined, () => verdicts[next++] === true));
    }
  }

  /** What each is before its signature; `null` when the peer sends too much of no use. */
  #examineAll(items: readonly Item[], source: Source): Examination[] | null {
    this.roll();
    const examined: Examination[] = [];
    let useless = 0;
    for (const item of items) {
      const found = this.#examine(item, source);
      examined.push(found);
      if (found.kind === "drop") useless++;
    }
    if (useless === 0 || source.useless.take(useless, this.#context.now())) return examined;
    release(examined);
    return null;
  }

  /** A transaction of our own: false when it was published or received before, for then all have it. */
  publishedTx(raw: Uint8Array): boolean {
    return this.#context.txSeen.add(txKey(raw));
  }

  /** Own evidence counts as seen. */
  publishedEvidence(evidence: Evidence): void {
    this.#context.evidenceSeen.add(evidenceKey(evidence));
  }

  /** Own messages count as seen, so that an echo is not delivered; another signature in the place of an own vote is. */
  published(
    item: { readonly vote: Vote } | { readonly proposal: Proposal } | { readonly certificate: Certificate },
  ): void {
    this.roll();
    const { seen } = this.#context;
    if ("vote" in item) {
      const { vote } = item;
      const ofHeight = seen.of(vote.height);
      ofHeight.addVote(vote.round, vote.type, vote.validatorIndex, idKey(vote.blockId));
      ofHeight.addOwnVote(vote);
    } else if ("certificate" in item) {
      seen.of(item.certificate.height).addCertificate(certificateKey(item.certificate));
    } else {
      const { proposal } = item;
      seen.of(proposal.height).addProposal(proposal.round, idKey(proposal.blockId));
    }
  }

  /** Follows the view's height: forgets what is past and offers what was held for the new height. */
  roll(): void {
    const { view, seen, held, bodies } = this.#context;
    const height = view.height;
    if (height === this.#height) return;
    this.#height = height;
    seen.roll(height);
    for (const offer of held.take(height)) offer();
    bodies.roll(height);
  }

  #examine(item: Item, source: Source): Examination {
    switch (item.kind) {
      case "vote":
        return examineVote(this.#context, item.vote, source);
      case "proposal":
        return examineProposal(this.#context, item.proposal, item.body, source);
      case "certificate":
        return examineCertificate(this.#context, item.certificate, source);
      case "part":
        return examinePart(this.#context, item, source);
      case "body":
        return examineBody(this.#context, item, source);
      case "evidence":
        return examineEvidence(this.#context, item.evidence, source);
      case "tx":
        return examineTx(this.#context, item.raw, source);
    }
  }

  async #verifyInPool(examined: readonly Examination[], count: number, source: Source): Promise<Outcome> {
    const { verifier, log } = this.#context;
    if (source.verifications >= LIMITS.verificationsPerPeer || !verifier.canAccept(count)) {
      release(examined);
      return { ...NOTHING, offence: source.verifications >= LIMITS.verificationsPerPeer ? "flood" : null };
    }
    const asked = examined.filter((found) => found.kind === "verify");
    const probe = count < PROBED_FROM ? undefined : asked[Math.floor(this.#context.random() * asked.length)];
    const [probed] = probe?.checks ?? [];
    if (probe !== undefined && probed !== undefined && !verifier.verifyNow(probed)) {
      // What is good among them comes from whoever deserves to be heard.
      release(examined);
      return { ...NOTHING, offence: probe.offence };
    }
    source.verifications++;
    try {
      const good = await this.#good(asked, probe, source.gone);
      return this.#conclude(examined, (found) => good.has(found));
    } catch (error) {
      release(examined);
      log.debug("verification given up", { peer: source.id, reason: reasonOf(error) });
      return NOTHING;
    } finally {
      source.verifications--;
    }
  }

  /** Those of which all signatures hold, in one batch but for the checks that wait for a first one. The first of `probe` does. */
  async #good(
    asked: readonly Verify[],
    probe: Verify | undefined,
    signal: AbortSignal,
  ): Promise<ReadonlySet<Verify>> {
    const good = new Set(asked);
    const first = (found: Verify) =>
      found.checks.slice(found === probe ? 1 : 0, found.firstAlone ? 1 : undefined);
    const rest = ({ checks, firstAlone }: Verify) => (firstAlone ? checks.slice(1) : []);
    for (const part of [first, rest]) {
      const batch = [...good].flatMap((found) => part(found).map((check) => ({ found, check })));
      if (batch.length === 0) continue;
      const verdicts = await this.#context.verifier.verify(
        batch.map(({ check }) => check),
        { priority: PRIORITY_LIVE, signal },
      );
      for (const [index, { found }] of batch.entries()) if (verdicts[index] !== true) good.delete(found);
    }
    return good;
  }

  #conclude(examined: readonly Examination[], holds: (found: Verify) => boolean): Outcome {
    let offence: Offence | null = null;
    let fresh = 0;
    let spread = false;
    const origins: number[] = [];
    const worse = (found: Offence): void => {
      if (offence === null || OFFENCES[found].points > OFFENCES[offence].points) offence = found;
    };
    for (const found of examined) {
      switch (found.kind) {
        case "drop":
          break;
        case "offence":
          worse(found.offence);
          break;
        case "done":
          fresh++;
          if (found.origin === null) spread = true;
          else origins.push(found.origin);
          break;
        case "verify": {
          if (!holds(found)) {
            found.release();
            worse(found.offence);
            break;
          }
          const after = found.accept();
          if (after === "stale") break;
          if (after !== null) worse(after);
          fresh++;
          if (found.origin === null) spread = true;
          else origins.push(found.origin);
          break;
        }
      }
    }
    return { offence, fresh, origins, spread };
  }
}

function checksOf(examined: readonly Examination[]): readonly SignatureCheck[] {
  return examined.flatMap((found) => (found.kind === "verify" ? found.checks : []));
}

/** None of them is verified after all. */
function release(examined: readonly Examination[]): void {
  for (const found of examined) if (found.kind === "verify") found.release();
}
