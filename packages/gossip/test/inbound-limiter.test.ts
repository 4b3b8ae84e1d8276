/** Who may begin a handshake, before anything is known but where the connection comes from. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import { InboundLimiter, originOf } from "../src/host/inbound-limiter.ts";
import { LIMITS } from "../src/limits.ts";
import { Stranger } from "./stranger.ts";
import { makeCommittee, StoppableClock, startNode, stopAll } from "./support.ts";

const STRANGER = "/ip4/203.0.113.7/tcp/1000";
const OTHER = "/ip4/198.51.100.9/tcp/1000";
const VALIDATOR = "/ip4/192.0.2.1/tcp/26656";

class Door {
  now = 0;
  readonly limiter: InboundLimiter = new InboundLimiter(() => this.now);

  /** Whether a connection that is over at once gets in. */
  admits(address: string): boolean {
    const over = this.limiter.enter(address);
    over?.();
    return over !== null;
  }

  /** Whether a connection that never gets on gets in, where no rate forbids it. */
  holds(address: string): boolean {
    this.now += 1000 / LIMITS.handshakesPerSecond;
    return this.limiter.enter(address) !== null;
  }

  /** Connections of so many ms, of which each is over at once. */
  admittedIn(ms: number, address: string, everyMs = 10): number {
    let admitted = 0;
    for (const end = this.now + ms; this.now < end; this.now += everyMs) if (this.admits(address)) admitted++;
    return admitted;
  }

  penalise(times: number, address: string): void {
    for (let i = 0; i < times; i++) this.limiter.penalise(address);
  }
}

describe("an address from which an offender came", () => {
  it("is shut for a time that doubles with each offender, up to the time that a peer is banned", () => {
    const waited: number[] = [];
    for (let strikes = 1; strikes <= 10; strikes++) {
      const door = new Door();
      door.penalise(strikes, STRANGER);
      while (!door.admits(STRANGER)) door.now += 50;
      waited.push(door.now);
    }
    assert.deepEqual(waited, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    assert.equal(LIMITS.shutMaxMs, LIMITS.banMs);
  });

  it("then lets in one connection per such time, and no other address pays for it", () => {
    const door = new Door();
    door.penalise(3, STRANGER);
    assert.equal(door.admittedIn(10_000, STRANGER), 9);
    assert.ok(door.admits(OTHER));
  });

  it("is forgiven after a minute without another offender", () => {
    const door = new Door();
    door.penalise(20, STRANGER);
    door.now += LIMITS.forgivenMs;
    assert.ok(door.admits(STRANGER));
    assert.ok(door.admits(STRANGER));
    door.penalise(1, STRANGER);
    door.now += LIMITS.shutMinMs;
    assert.ok(door.admits(STRANGER));
  });

  it("never shuts out a validator behind it for longer than half a second, however many come", () => {
    const door = new Door();
    door.limiter.trust(VALIDATOR);
    for (let i = 0; i < 100; i++) {
      door.penalise(10, VALIDATOR);
      door.now += LIMITS.shutTrustedMs;
      assert.ok(door.admits(VALIDATOR));
    }
  });

  it("is one of so many that are remembered, and the latest of them", () => {
    const door = new Door();
    for (let i = 0; i <= LIMITS.penalisedOrigins; i++)
      door.penalise(1, `/ip4/10.0.${i >> 8}.${i & 255}/tcp/1`);
    assert.ok(door.admits("/ip4/10.0.0.0/tcp/2"));
    assert.ok(!door.admits("/ip4/10.0.0.1/tcp/2"));
  });
});

describe("handshakes", () => {
  it("of strangers have a rate, however many addresses they come from", () => {
    const door = new Door();
    let admitted = 0;
    for (let i = 0; i < 10_000; i++, door.now++)
      if (door.admits(`/ip4/10.0.${i >> 8}.${i & 255}/tcp/1`)) admitted++;
    assert.equal(admitted, LIMITS.handshakeBurst + 10 * LIMITS.handshakesPerSecond - 1);
  });

  it("of validators have a rate of their own, which strangers cannot use up", () => {
    const door = new Door();
    door.limiter.trust(VALIDATOR);
    for (let i = 0; i < 10_000; i++) door.admits(STRANGER);
    assert.ok(!door.admits(OTHER));
    assert.equal(door.admittedIn(1000, VALIDATOR), 100);
  });

  it("under way are few for one address, and leave places for validators when all strangers stall", () => {
    const door = new Door();
    door.limiter.trust(VALIDATOR);
    const from = (address: string): number => {
      let held = 0;
      while (door.holds(address)) held++;
      return held;
    };
    assert.equal(from(STRANGER), LIMITS.pendingOfStranger);
    let strangers = LIMITS.pendingOfStranger;
    for (let i = 0; i < 10; i++) strangers += from(`/ip4/10.0.0.${i}/tcp/1`);
    assert.equal(strangers, LIMITS.pendingOfStrangers);
    assert.equal(from(VALIDATOR), LIMITS.pendingOfTrusted);
    assert.ok(LIMITS.pendingOfStrangers < LIMITS.pendingInbound);
  });

  it("that are over make room again, each once", () => {
    const door = new Door();
    const over = door.limiter.enter(STRANGER);
    for (let i = 1; i < LIMITS.pendingOfStranger; i++) assert.ok(door.holds(STRANGER));
    assert.ok(!door.holds(STRANGER));
    over?.();
    over?.();
    assert.ok(door.holds(STRANGER));
    assert.ok(!door.holds(STRANGER));
  });

  it("regression: that stall do not take all places: those of one address are few, what is more is closed at once", async () => {
    const node = await startNode({ name: "besieged", set: makeCommittee(4).set });
    const port = Number(node.gossip.addresses[0]!.split("/")[4]);
    const sockets: Socket[] = [];
    /** Those that were closed sooner than a handshake may last. */
    const closed: number[] = [];
    const more = 8;
    const refused: Promise<void>[] = [];
    try {
      for (let i = 0; i < LIMITS.pendingOfStranger + more; i++) {
        const begun = performance.now();
        const socket = connect(port, "127.0.0.1").resume();
        sockets.push(socket);
        const ends = new Promise<void>((resolve) => {
          // A reset may come before the connection is known here.
          socket.once("connect", resolve).once("error", resolve);
        });
        const gone = new Promise<void>((resolve) => socket.once("close", resolve)).then(() => {
          if (performance.now() - begun < LIMITS.statusTimeoutMs) closed.push(i);
        });
        if (i >= LIMITS.pendingOfStranger) refused.push(gone);
        await ends;
      }
      await Promise.all(refused);
      // Without a limit none of them would have been.
      assert.ok(closed.length > 0);
      for (const i of closed) assert.ok(i >= LIMITS.pendingOfStranger, `${i} had a place`);
    } finally {
      for (const socket of sockets) socket.destroy();
      await stopAll([node]);
    }
  });
});

/** A window beyond all memory. */
const ENDLESS_WINDOW = Uint8Array.of(0, 1, 0, 1, 0, 0, 3, 233, 255, 255, 255, 255);

const OFFENCES: readonly { readonly what: string; commit(one: Stranger): Promise<boolean> }[] = [
  { what: "garbage on a stream", commit: (one) => one.write(one.gossip, new Uint8Array(64).fill(255)) },
  { what: "frames of the muxer without sense", commit: (one) => one.write(one.below, ENDLESS_WINDOW) },
];

describe("a node that throws out strangers", () => {
  for (const { what, commit } of OFFENCES) {
    it(`regression: for ${what} shuts their address: they would come again under other names`, async () => {
      const clock = new StoppableClock();
      const node = await startNode({ name: `annoyed by ${what}`, set: makeCommittee(4).set, clock });
      const address = node.gossip.addresses[0]!;
      const strangers: Stranger[] = [];
      try {
        // So many that the address stays shut for seconds.
        for (let i = 0; i < 7; i++) strangers.push(await Stranger.connect(address));
        clock.stop();
        for (const one of strangers) await commit(one);
        await Promise.all(strangers.map(({ closed }) => closed));
        await assert.rejects(Stranger.connect(address));
      } finally {
        await Promise.all(strangers.map((one) => one.stop()));
        await stopAll([node]);
      }
    });
  }
});

describe("where a connection comes from", () => {
  it("is an IPv4 address, or the /64 of an IPv6 one, of which a host has all", () => {
    const cases: readonly (readonly [string, string])[] = [
      ["/ip4/203.0.113.7/tcp/1000", "203.0.113.7"],
      ["/ip4/203.0.113.7/tcp/9/p2p/12D3KooW", "203.0.113.7"],
      ["/ip6/2001:db8:1:2:3:4:5:6/tcp/1", "2001:db8:1:2::/64"],
      ["/ip6/2001:db8:1:2::9/tcp/1", "2001:db8:1:2::/64"],
      ["/ip6/2001:DB8::9/tcp/1", "2001:db8:0:0::/64"],
      ["/ip6/::1/tcp/1", "0:0:0:0::/64"],
      ["/ip6/::ffff:203.0.113.7/tcp/1", "203.0.113.7"],
      ["/ip6/::ffff:cb00:7107/tcp/1", "203.0.113.7"],
      ["/ip6/fe80::1%eth0/tcp/1", "fe80:0:0:0::/64"],
    ];
    for (const [address, origin] of cases) assert.equal(originOf(address), origin, address);
  });
});
