/**
 * Every bound of the gossip layer, each with its reason. A peer can make this node hold or do at most what stands
 * here; nothing else in the package grows with what comes from outside.
 */
export const LIMITS = {
  /** Validators of one set: the largest set whose votes of a round still fit one frame (512 x ~200 B < 1 MiB). */
  validators: 512,
  /** One gossipsub RPC and one frame of the peer stream. gossipsub cannot send above 4 MiB at all. */
  frameBytes: 1_048_576,
  /** One pack: cost is per message, not per byte, and 64 votes are one verification batch of about 4 ms. */
  packItems: 64,
  packBytes: 65_536,
  /** Bodies up to this size travel inside the proposal message; above it direct streams are two to four times faster. */
  inlineBodyBytes: 65_536,
  /** Largest value of the chain param max_block_bytes. */
  bodyBytes: 16_777_216,
  /** Size of a part as the chain cuts it, and the number of parts of the largest body. */
  partBytes: 65_536,
  parts: 256,
  /** Depth of a Merkle proof that the decoder reads, as CometBFT has it. */
  proofAunts: 100,
  /** Text of a status: chain id as CometBFT bounds it, a moniker as operators type it. */
  chainIdBytes: 50,
  monikerBytes: 70,
  /** Round-state entries: 16 recent rounds, lock, valid and two future rounds, of two types each. */
  roundStateVotes: 40,
  roundStateMaj23: 64,
  /** Round 2^31-1 is the codec's; a vote further ahead than this is no honest node's (60 s timeouts: 41 days). */
  roundsAhead: 65_536,
  /** Proposals are checked against a proposer that costs one increment per round to find. */
  proposalRoundsAhead: 16,
  /** Rounds below the peer's that repair still serves: lock and polka of these rounds may still matter. */
  keptRounds: 16,
  /** Distinct block ids of one (height, round, type, validator): the first, and one conflict as evidence. */
  idsPerSlot: 2,
  /** Vote slots of a height: the largest set x two types x 64 rounds in use at once. */
  voteSlots: 65_536,
  /** Votes for rounds above the next one, per validator: bursts of a catch-up pass, a million rounds do not. */
  futureRoundBurst: 64,
  futureRoundsPerSecond: 16,
  /** Messages of height + 1 held until this node gets there: two votes per validator of a large set, and proposals. */
  heldItems: 2048,
  heldPerPeer: 256,
  heldBytes: 4_194_304,
  /** Certificates of a height remembered as seen. */
  certificates: 4096,
  /** Bodies being collected: two proposals per round of the recent rounds. */
  wantedBodies: 32,
  /** Bytes of parts and unfinished bodies held over all of them: four of the largest bodies. */
  collectedBytes: 67_108_864,
  /** Signature checks in flight or waiting in the pool: half a second of one core. */
  verifierQueue: 16_384,
  /** Packed checks that the batch backend accepted, kept to be asked again should it be wrong: some 5000 votes. */
  verifierAcceptedBytes: 1_048_576,
  /** Verifications that one peer may have in flight (certificates, large packs). */
  verificationsPerPeer: 64,
  /** Messages of one topic waiting for the end of the tick; more than a node of 512 validators ever emits. */
  outboxItems: 4096,
  outboxBytes: 8_388_608,
  /** Evidence message, as the evidence pool bounds it. */
  evidenceBytes: 1_048_576,
  evidenceSeen: 1024,
  /** Transactions: Geth's own cap of one transaction is 128 KiB. */
  txBytes: 131_072,
  txPackItems: 256,
  txPackBytes: 524_288,
  txSeen: 65_536,
  /** New ones from one peer; also what may come at once, and a node hands out 2048 at a time. Each costs some 10 us. */
  txsPerSecond: 4000,
  txBytesPerSecond: 4_194_304,
  evidencePerSecond: 8,
  /** Evidence offered to one peer per second: half of what it takes. */
  evidenceOffered: 4,
  /**
   * RPCs of one peer, and messages in them: all votes of a set of 512 forwarded one by one in every second, and what has
   * gathered while this node stood still. A set of 100 at three heights a second comes to 600 from a neighbour, 19,000
   * transactions a second in full packs to 75.
   */
  gossipPerSecond: 2000,
  gossipBurst: 6000,
  /** RPCs, and what is in them, that gossipsub gets in one turn of the event loop: each takes some 50 us of it. */
  gossipTurn: 64,
  /**
   * Items of one peer that are known already or of no height of ours: in a sparse mesh of 512 validators each of its
   * votes may come once more from every neighbour. Looking at one costs some 10 us.
   */
  uselessPerSecond: 4000,
  uselessBurst: 16_000,
  /** Bytes of gossipsub's own messages: 5,000 ids of every topic a second are 550 kB, and it offers no more. */
  controlBytesPerSecond: 1_048_576,
  controlBurst: 2_097_152,
  /**
   * Lists of ids, offered or wanted: gossipsub offers one of each topic once a second, to a quarter of those outside its
   * mesh, answers an offer with one list at most, and itself reads no more than ten offers a second. A node that stood
   * still for ten seconds gets 60 at once.
   */
  listsPerSecond: 10,
  listBurst: 80,
  /** Subscriptions, grafts and prunes: five topics at the beginning, and few changes later. Also empty RPCs: none. */
  membershipPerSecond: 20,
  membershipBurst: 200,
  /** Subscriptions, grafts and prunes of one RPC; gossipsub reads no more of each. */
  membershipChanges: 64,
  /** Frames of yamux other than data: a peer that never delays its window updates sends one for every message. */
  muxerFramesPerSecond: 8000,
  muxerFrameBurst: 32_000,
  /** One window update: no implementation has a window of a quarter of what the field can say. */
  windowUpdateMost: 1_073_741_824,
  /** Streams that a peer begins: sync requests are the most frequent, 40 at once and 20 a second. */
  newStreamsPerSecond: 32,
  newStreamBurst: 128,
  /** Frames of one peer stream per second: pushes at 20/s and the largest repair, with room to spare. */
  streamFramesPerSecond: 2000,
  streamFrameBurst: 4000,
  /** Streams per connection and of one protocol. */
  streamsPerPeer: 32,
  streamReadBuffer: 2_097_152,
  streamWriteBuffer: 8_388_608,
  streamWindow: 4_194_304,
  /** Bytes read from a stream before its sender is told; a quarter of the first window (yamux: 256 KiB). */
  windowUpdateBytes: 65_536,
  /** Frames of one turn gathered for one write: one Noise message holds 65,519 bytes. */
  gatheredBytes: 65_519,
  /** Gossip not yet written to a peer; beyond it the stream is reset and repair takes over. */
  gossipOutboundBuffer: 4_194_304,
  /** Repair items sent per plan: the plan is made again when the stream has drained. */
  repairItems: 512,
  repairBytes: 524_288,
  /**
   * Round state pushes to one peer: 20 per second at most, and repair is not the fast path. Beyond so many peers each is
   * told less often: what a crowd is told per second must not fill the processor. A state that has rested for so long is
   * told, one that goes on changing is told at the longest interval.
   */
  roundStateRestMs: 50,
  roundStateIntervalMs: 50,
  roundStatePeers: 25,
  roundStateIntervalMaxMs: 250,
  /** What a peer lacks for less than this, and the round trip to it, is on its way by gossip. */
  repairGraceMs: 20,
  /**
   * A peer that got an item tells so when it comes to rest, which takes the shortest push interval, and a round trip;
   * lacking it after this long on top, it never got it.
   */
  repairSettleMs: 80,
  /** Round trips above this are those of a peer that answers late on purpose, or of one frozen for a while. */
  roundTripMs: 1000,
  /** The same item again to a peer whose state still lacks it: guards against a loss this design does not know. */
  repairAgainMs: 3000,
  /** Status frames to one peer: heights for sync need no more. */
  statusIntervalMs: 500,
  /** A body of which nothing came for so long, and the longest round trip to a peer, is asked of the next peer. */
  wantBodyRetryMs: 250,
  /** A relay between validators stays on their topics for so long after it was last needed: links come and go. */
  relayLingerMs: 60_000,
  /** Bodies served to one peer on request. */
  wantsBurst: 8,
  wantsPerSecond: 4,
  /** A connection without a valid status after this is closed (slow senders). */
  statusTimeoutMs: 5000,
  /** A dismissed peer that does not drain for so long is cut off. */
  closeTimeoutMs: 500,
  /** Half a frame for longer than this is a slow sender. */
  frameTimeoutMs: 20_000,
  /** Request and response of sync, whole. */
  requestBytes: 1_048_576,
  responseBytes: 16_777_216,
  /** One more block frame than the response bound, so that a block of the largest size can be served at all. */
  responseFrameBytes: 17_825_792,
  requestBlocks: 512,
  requestTimeoutMs: 20_000,
  servedPerPeer: 2,
  served: 8,
  requestsPerSecond: 20,
  requestBurst: 40,
  /** Connections that the system holds until this process takes them; whose is beyond hears nothing for a second. */
  listenBacklog: 512,
  /** Connections and handshakes of libp2p. */
  pendingInbound: 128,
  /**
   * Handshakes under way: of strangers, of those from one address, and of those from an address where validators or
   * configured peers were seen. What strangers leave of all is for the latter; each ends within `statusTimeoutMs`.
   */
  pendingOfStrangers: 96,
  pendingOfStranger: 32,
  pendingOfTrusted: 96,
  /**
   * Handshakes begun, of strangers and of trusted addresses each: with all that follows one costs 15 to 25 ms of CPU. At
   * once: what costs strangers' victim less than a second, and half of the largest set, of which the node dials the rest.
   */
  handshakesPerSecond: 10,
  handshakeBurst: 32,
  trustedHandshakeBurst: 256,
  /** For how long the address of a peer that was banned is shut: first, and at most, as long as the peer itself. */
  shutMinMs: 250,
  shutMaxMs: 30_000,
  /** At most, where validators or configured peers were seen: they may share the address, and dial again for ever. */
  shutTrustedMs: 500,
  /** Without another ban meanwhile, those of an address are forgotten. */
  forgivenMs: 60_000,
  /** Addresses remembered: of banned peers, and of validators and configured peers. */
  penalisedOrigins: 4096,
  trustedOrigins: 1024,
  /** Per second and host: all nodes of a local network share one address. */
  inboundPerSecond: 100,
  parallelDials: 20,
  dialTimeoutMs: 5000,
  /** Own dialler: first retry, and the longest wait, for ever. */
  redialMinMs: 250,
  redialMaxMs: 5000,
  /** An own dial this young makes an inbound connection of the same peer a simultaneous one. */
  simultaneousDialMs: 1000,
  /** A connection older than this gives way to a new one of the same peer; younger ones are decided by peer id. */
  duplicateYoungMs: 5000,
  /** How often the watchdog looks; two looks in a row without a gossip stream close a connection. */
  watchdogMs: 1000,
  /** A new connection may take this long to open its gossip streams. */
  gossipStreamGraceMs: 5000,
  /** Scores and bans remembered. */
  scoredPeers: 1024,
  /** Peers that left and are neither validators nor configured: what the network still knows of them. */
  departedPeers: 256,
  banMs: 30_000,
  /** The longest a peer may ask to be left alone by gossipsub; this version asks for a minute. */
  pruneBackoffSeconds: 3600,
  /** How long gossipsub remembers its own penalties of a peer that left; ours are the Scorer's. */
  retainScoreMs: 60_000,
  /** How long gossipsub remembers message ids: far beyond any path, small enough for 200 heights per second. */
  seenTtlMs: 30_000,
} as const;
