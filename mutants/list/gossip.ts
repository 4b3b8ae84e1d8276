/** Admission of gossip: what reaches consensus, and at whose cost. */
import { killedBy, type Mutant } from "../types.ts";

const ADMISSION = "packages/gossip/src/admission/admission.ts";
const VOTE = "packages/gossip/src/admission/vote.ts";
const PROPOSAL = "packages/gossip/src/admission/proposal.ts";
const CERTIFICATE = "packages/gossip/src/admission/certificate.ts";
const WINDOW = "packages/gossip/src/admission/window.ts";
const SLOTS = "packages/gossip/src/admission/slots.ts";
const PLAN = "packages/gossip/src/roundstate/plan.ts";
const LINKS = "packages/gossip/src/host/links.ts";
const COLLECTOR = "packages/gossip/src/bodies/collector.ts";
const SCORING = "packages/gossip/src/scoring/table.ts";
const ADMITTED = "packages/gossip/test/admission.test.ts";
const PLANNED = "packages/gossip/test/plan.test.ts";
const SMALL = "packages/gossip/test/parts.test.ts";

export const GOSSIP: readonly Mutant[] = [
  {
    name: "signatures-are-not-asked",
    file: ADMISSION,
    find: "          if (!holds(found)) {\n",
    replace: "          if (!holds(found) && found.checks.length === 0) {\n",
    bug: "anybody votes for everybody",
    origin: "DESIGN §6: every message is validated",
    verdict: killedBy(ADMITTED, "that is forged reaches nobody"),
  },
  {
    name: "stranger-votes",
    file: VOTE,
    find: "if (validator === undefined || !bytesEqual(validator.address, vote.validatorAddress)) {",
    replace: "if (validator === undefined) {",
    bug: "a vote names one validator by its index and another by its address",
    origin: "CometBFT: ErrVoteInvalidValidatorAddress",
    verdict: killedBy(ADMITTED, "under the address of another index"),
  },
  {
    name: "old-rounds-are-dropped",
    file: WINDOW,
    find: "return round <= own + LIMITS.roundsAhead;",
    replace: "return round >= own && round <= own + LIMITS.roundsAhead;",
    bug: "late precommits of an older round cannot complete a decision by gossip",
    origin: "Mainsail: votes with round < current dropped at admission",
    verdict: killedBy(ADMITTED, "of an earlier round comes in"),
  },
  {
    name: "rounds-ahead-without-bound",
    file: WINDOW,
    find: "return round <= own + LIMITS.roundsAhead;",
    replace: "return round >= 0;",
    bug: "votes of rounds that no honest node reaches are verified and kept",
    origin: "Malachite aeb7e736",
    verdict: killedBy(ADMITTED, "of a round that no honest node reaches"),
  },
  {
    name: "vote-is-verified-again-and-again",
    file: SLOTS,
    find: `    if (typeof known === "string") return known === id ? "duplicate" : "new";\n`,
    replace: `    if (typeof known === "string") return "new";\n`,
    bug: "every copy of a vote costs a signature check",
    origin: "Mainsail 1124; Malachite a233b8ce",
    verdict: killedBy(SMALL, "are two ids per slot"),
  },
  {
    name: "equivocation-is-not-let-in",
    file: SLOTS,
    find: `    if (typeof known === "string") return known === id ? "duplicate" : "new";\n`,
    replace: `    if (typeof known === "string") return "duplicate";\n`,
    bug: "the second vote of an equivocator never reaches consensus: no evidence",
    origin: "DESIGN §8; Malachite 1018",
    verdict: killedBy(SMALL, "are two ids per slot"),
  },
  {
    name: "forgery-shadows-the-true-vote",
    file: VOTE,
    find: "bytesKey(vote.signature)",
    replace: "vote.signature.length",
    bug: "a forged copy under verification keeps the true vote out",
    origin: "CometBFT: votes dropped by a bad duplicate; DESIGN §6",
    verdict: killedBy(ADMITTED, "a forged copy of a vote"),
  },
  {
    name: "forged-vote-counts-as-seen",
    file: VOTE,
    find: "  ofHeight.pending.add(pendingKey);\n",
    replace:
      "  ofHeight.pending.add(pendingKey);\n  ofHeight.addVote(vote.round, vote.type, vote.validatorIndex, id);\n",
    bug: "a forged vote is remembered before its signature is checked: the true one is taken for a duplicate",
    origin: "Malachite 8b1dae12",
    verdict: killedBy(ADMITTED, "that is forged reaches nobody", "a forged copy of a vote"),
  },
  {
    name: "proposal-with-a-polka-of-its-own-round",
    file: PROPOSAL,
    find: `  if (proposal.polRound < -1 || proposal.polRound >= proposal.round) return offence("malformed");\n`,
    replace: "",
    bug: "a malformed proposal is verified, forwarded and kept",
    origin: "Mainsail 1491",
    verdict: killedBy(ADMITTED, "whose POL round is not below"),
  },
  {
    name: "proposal-of-another-proposer",
    file: PROPOSAL,
    find: "const publicKey = view.proposer(proposal.height, proposal.round);",
    replace: "const publicKey = view.proposer(proposal.height, 0);",
    bug: "the proposer of round 0 proposes in every round",
    origin: "DESIGN §6: the proposer of exactly that round",
    verdict: killedBy(ADMITTED, "comes in only from the proposer of exactly its round"),
  },
  {
    name: "second-proposal-is-skipped",
    file: SLOTS,
    find: "    this.#proposals.add(round, id);\n",
    replace: `    this.#proposals.add(round, id);\n    this.#proposals.add(round, "");\n`,
    bug: "the second proposal of an equivocating proposer never comes in: this node cannot follow the polka for it",
    origin: "Malachite 1018; Mainsail: second proposal skipped",
    verdict: killedBy(ADMITTED, "comes in twice from an equivocating proposer"),
  },
  {
    name: "certificate-shadows-another",
    file: CERTIFICATE,
    find: "const pendingKey = toHex(sha256(encodeCertificate(certificate)));",
    replace: "const pendingKey = key;",
    bug: "a forged certificate under verification keeps the true one out",
    origin: "DESIGN §6; Malachite 961fa4e0",
    verdict: killedBy(ADMITTED, "a forged certificate keeps"),
  },
  {
    name: "certificate-of-too-little-power",
    file: "packages/chain/src/commit/certificate.ts",
    find: `  if (power < needed) throw refuse("not_enough_power"`,
    replace: `  if (power <= 0n) throw refuse("not_enough_power"`,
    bug: "a certificate of a minority is verified, forwarded and handed to consensus",
    origin: "Malachite 961fa4e0, 974",
    verdict: killedBy("packages/chain/test/commit.test.ts", "two of four are no quorum"),
  },
  {
    name: "made-up-evidence-costs-two-checks",
    file: "packages/gossip/src/admission/other.ts",
    find: "    firstAlone: true,\n",
    replace: "    firstAlone: false,\n",
    bug: "whoever makes up evidence costs every node twice the time that it has to",
    origin: "cometbft: evidence is verified in full before it is refused",
    verdict: killedBy(ADMITTED, "costs one signature each"),
  },
  {
    name: "one-bad-item-costs-the-pack",
    file: ADMISSION,
    find: "            found.release();\n            worse(found.offence);\n            break;\n",
    replace:
      "            found.release();\n            worse(found.offence);\n            return { offence, fresh, origins, spread };\n",
    bug: "a relay adds one bad vote to a pack and the good ones behind it are lost",
    origin: "DESIGN §6: a pack with one bad vote: the good ones count",
    verdict: killedBy(ADMITTED, "with a bad item between good ones"),
  },
  {
    name: "honest-peers-are-punished",
    file: SCORING,
    find: "  out_of_window: { points: 0,",
    replace: "  out_of_window: { points: 5,",
    bug: "a peer is banned for being at another height",
    origin: "Mainsail 1444, 1404: ban only on provable misbehaviour",
    verdict: killedBy(SMALL, "cost nothing for what honest nodes do"),
  },
  {
    name: "body-of-other-parts",
    file: COLLECTOR,
    find: `if (header.total !== total || !bytesEqual(header.hash, hash)) return "bad";`,
    replace: `if (header.total !== total) return "bad";`,
    bug: "any bytes of the right length pass for the body, and the true one is taken for a duplicate",
    origin: "DESIGN §6",
    verdict: killedBy(SMALL, "takes only what is wanted, whole and right"),
  },
  {
    name: "next-height-is-dropped",
    file: VOTE,
    find: `    window === "current" || window === "next" || (window === "last"`,
    replace: `    window === "current" || (window === "last"`,
    bug: "votes for the next height that come early are lost, as gossip has no memory",
    origin: "DESIGN §6; Malachite 8b1dae12: buffer",
    verdict: killedBy(ADMITTED, "for the next height waits"),
  },
  {
    name: "late-parts-are-an-offence",
    file: COLLECTOR,
    find: `    if (entry === undefined || entry.height !== height) return "unwanted";
    if (entry.seen`,
    replace: `    if (entry === undefined || entry.height !== height) return "bad";
    if (entry.seen`,
    bug: "an honest peer is punished for a repair that was asked for before this node went on",
    origin: "Mainsail 1444: replies judged by a target that had moved",
    verdict: killedBy(SMALL, "takes a part that it asked for before its height went on for no offence"),
  },
  {
    name: "lacked-proposal-counts-as-sent",
    file: PLAN,
    find: "if (own.proposal !== null || peer.round < own.round)",
    replace: "if (peer.round <= own.round)",
    bug: "repair plans a proposal that the node lacks itself, notes it as sent, and keeps it back when it comes",
    origin: "Quorate: a validator without a link to the proposer never got the proposal",
    verdict: killedBy(PLANNED, "is no proposal that we lack ourselves"),
  },
  {
    name: "repair-forgets-to-look-again",
    file: PLAN,
    find: "    else againAtMs = Math.min(againAtMs ?? Number.POSITIVE_INFINITY, at + LIMITS.repairAgainMs);\n",
    replace: "",
    bug: "what was sent once and lost is not sent again, for whoever looked too early looks no more",
    origin: "Quorate: the same",
    verdict: killedBy(PLANNED, "says when what was sent is due again"),
  },
  {
    name: "overtaken-parts-stay",
    file: COLLECTOR,
    find: `    if (entry.complete) {
      if (!verifyPart`,
    replace: `    if (entry.complete) {
      if (part.index >= 0) return "duplicate";
      if (!verifyPart`,
    bug: "parts of a body that came whole are forwarded to nobody",
    origin: "Quorate: a validator without a link to the proposer waited for repair at every large block",
    verdict: killedBy(SMALL, "has each part forwarded once though the whole was faster"),
  },
  {
    name: "full-nodes-relay-nothing",
    file: LINKS,
    find: `        (peer.subscribed.has("votes") || this.indexOf(peer) >= 0) && lostBits(reached, direct),`,
    replace: `        (peer.subscribed.has("votes") || this.indexOf(peer) >= 0) && lostBits(reached, reached),`,
    bug: "validators behind sentries hear each other by repair alone: a second and more per height",
    origin: "Quorate: full nodes stayed off the topics of validators whoever stood behind them",
    verdict: killedBy(SMALL, "relays between validators that have links to it and not to each other"),
  },
  {
    name: "every-full-node-relays",
    file: LINKS,
    find: `        (peer.subscribed.has("votes") || this.indexOf(peer) >= 0) && lostBits(reached, direct),`,
    replace: `        (peer.subscribed.has("votes") || this.indexOf(peer) >= 0) && direct.size > 0,`,
    bug: "full nodes beside a full mesh of validators take part in all its gossip, for nobody",
    origin: "DESIGN: nodes outside the set stay off the vote topics",
    verdict: killedBy(SMALL, "relays nothing where validators have links to each other"),
  },
  {
    name: "another-block-under-the-name-asked-for",
    file: "packages/gossip/src/bodies/exchange.ts",
    find: `    if (asked && !blockIdEquals(decodeCommit(stored.commit).blockId, blockId)) return;\n`,
    replace: "",
    bug: "whoever wants the block of an equivocator that was not decided bans the honest peers who have the one that was",
    origin: "Quorate: a Byzantine proposer cut a ring of honest validators in two",
    verdict: killedBy("packages/gossip/test/bodies.test.ts", "is sent to whoever wants that block"),
  },
  {
    name: "messengers-are-blamed",
    file: "packages/gossip/src/layer.ts",
    find: "modules.events.body(height, blockId, bytes, isProposers ? from : null);",
    replace:
      "modules.events.body(height, blockId, bytes, isProposers ? from : peers.has(from) ? from : null);",
    bug: "one Byzantine proposer's block makes honest validators ban the honest ones who passed it on",
    origin: "Quorate: an invalid proposal stopped a star of validators for half a minute",
    verdict: killedBy("packages/gossip/test/bodies.test.ts", "who is not to blame for what is in them"),
  },
];
