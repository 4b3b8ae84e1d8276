/**
 * One validator of a running network whose execution client is in trouble. Of every trouble the same is asked: the others
 * go on as if it were not there, the validator follows and serves blocks, says what is wrong and what to do, votes for
 * nothing that its client did not call valid, and takes part again when the trouble is over.
 */
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { eventually, rpc, validator } from "../support.ts";
import { ExternalEl } from "./external-el.ts";
import { type LiveNetwork, medianRound } from "./live.ts";
import { type Behaviour, ExecutionProxy, INVALID, SYNCING } from "./proxy.ts";
import { messagesOf } from "./votes.ts";

/** The validator whose client it is. */
const NAME = "node1";

interface Trouble {
  begin(): unknown;
  /** `execution.detail` of its status: what is wrong, and what to do. */
  readonly says: RegExp;
  /** In its log, said once. */
  readonly logs: readonly RegExp[];
  /** Label of `quorate_el_status`. */
  readonly status: "offline" | "misconfigured" | "broken" | "replaying";
}

const everything = (behaviour: Behaviour): ReadonlyMap<string, Behaviour> => new Map([["*", behaviour]]);

export function executionScenes(running: () => LiveNetwork): void {
  describe("a validator whose execution client is in trouble", () => {
    let net: LiveNetwork;
    let el: ExternalEl;
    let proxy: ExecutionProxy;
    let config: { readonly file: string; readonly text: string };

    before(async () => {
      net = running();
      const { home, eth_rpc } = await net.node(NAME);
      const httpPort = Number(new URL(eth_rpc).port);
      const file = join(home, "config", "config.toml");
      config = { file, text: readFileSync(file, "utf8") };
      await net.kill(NAME);
      el = new ExternalEl({ home, httpPort, enginePort: httpPort + 1 });
      await el.start();
      proxy = await ExecutionProxy.open(el.engineUrl, el.ethUrl);
      const external = config.text
        .replace(/^client = .*$/m, `client = "${proxy.engineUrl}"`)
        .replace(/^eth_url = .*$/m, `eth_url = "${proxy.ethUrl}"`);
      writeFileSync(file, external);
      await net.restart(NAME);
      await net.untilReady(NAME);
      await net.signs(NAME);
    });

    after(async () => {
      net.fault(NAME, {});
      await net.kill(NAME);
      await proxy?.close();
      await el?.stop();
      writeFileSync(config.file, config.text);
      await net.restart(NAME);
      await net.untilReady(NAME);
    });

    /** One trouble, from its beginning until everything about it was seen. */
    async function endures(trouble: Trouble): Promise<void> {
      const { rpc: url, metrics, address, home } = await net.node(NAME);
      const log = join(home, "node.log");
      const logged = statSync(log).size;
      const detail = async (): Promise<string> => {
        const { execution } = await rpc<{ readonly execution: { readonly detail: string } }>(url, "status");
        return execution.detail;
      };
      await trouble.begin();
      await eventually(`a status like ${trouble.says}`, async () => trouble.says.test(await detail()));
      const others = net.others(NAME);
      const from = Math.max(net.height, await net.tip(...others)) + 1;
      const { code, out } = await validator("status", "--node", url, "--json");
      assert.equal(code, 0);
      assert.match(JSON.stringify(JSON.parse(out)), trouble.says);
      await eventually("not ready for its client's sake", async () => {
        const { ready, reasons } = await net.ready(NAME);
        return !ready && reasons.some((reason) => /execution client/.test(reason));
      });
      const metric = new RegExp(`^quorate_el_status\\{.*status="${trouble.status}".*\\} 1$`, "m");
      await eventually(`the metric of ${trouble.status}`, async () =>
        metric.test(await (await fetch(`${metrics}/metrics`)).text()),
      );

      const to = Math.max(from + 2, net.height + 3);
      for (const name of net.names) await net.network.reaches(name, to);
      const commits = net.commitsOf("node0").filter(({ height }) => height > from && height <= to);
      for (const { height, proposer } of commits) {
        assert.notEqual(proposer, address, `${NAME} proposed height ${height}`);
      }
      assert.ok(medianRound(commits) <= 1, "who does not propose costs one round");
      const [served, other] = await Promise.all(
        [url, (await net.node("node0")).rpc].map((each) => rpc(each, `block?height=${to}`)),
      );
      assert.deepEqual(served, other);
      const signed = messagesOf(net.homeOf("node0"), address);
      for (const { type, block, height, round } of signed) {
        if (height > from && height < to) assert.equal(block, null, `its ${type} of ${height}/${round}`);
      }
      for (const line of trouble.logs) {
        await eventually(`a log line like ${line}`, () =>
          line.test(readFileSync(log).subarray(logged).toString("utf8")),
        );
      }
    }

    afterEach((context) => {
      if ("diagnostic" in context && "passed" in context && context.passed === false)
        context.diagnostic(net.logTail(NAME, 40));
      proxy.heal();
    });

    async function recovers(): Promise<void> {
      await net.untilReady(NAME);
      await net.signs(NAME);
    }

    test("it answers SYNCING, then INVALID for good blocks", async () => {
      await endures({
        begin: () => proxy.behave(SYNCING),
        says: /SYNCING to decided block \d+.*restart the execution client/,
        logs: [/error execution .*SYNCING to decided block.*do=/],
        status: "broken",
      });
      await endures({
        begin: () => proxy.behave(INVALID),
        says: /INVALID to decided block \d+.*its disk has lost a leaf.*restart the execution client/,
        logs: [/error execution .*INVALID to decided block.*do=/],
        status: "broken",
      });
      proxy.heal();
      await recovers();
    });

    test("it answers INVALID for a good block: nil at once, and no second opinion is needed when it heals", async () => {
      const { address } = await net.node(NAME);
      const refused = net.height + 1;
      proxy.behave(INVALID);
      // Its own trace, and for as long as it takes: the others decide without its vote, and may do so before they hear it.
      await eventually(`a prevote of nil by ${NAME} from height ${refused} on`, () =>
        messagesOf(net.homeOf(NAME), address).some(
          ({ type, height, block }) => type === "prevote" && height >= refused && block === null,
        ),
      );
      await net.advances(2, net.others(NAME));
      proxy.heal();
      await recovers();
    });

    test("its sockets hang, then break", async () => {
      await endures({
        begin: () => proxy.behave(everything({ kind: "hang" })),
        says: /did not answer within \d+ ms.*restart it if it hangs/,
        logs: [/warn +execution .*did not answer within/],
        status: "offline",
      });
      proxy.heal();
      await endures({
        begin: () => proxy.behave(everything({ kind: "reset" })),
        says: /does not answer.*connection closed by the server.*start the execution client/,
        logs: [/warn +execution .*connection closed by the server/],
        status: "offline",
      });
      proxy.heal();
      await recovers();
    });

    test("its clock goes 75 s ahead", async () => {
      await endures({
        begin: async () => {
          await el.stop("SIGKILL");
          await el.start(75_000);
        },
        says: /clock is 7\d s behind the execution client's.*synchronise the clocks/,
        logs: [/error execution .*code=EL_CLOCK_SKEW/],
        status: "misconfigured",
      });
      await el.stop("SIGKILL");
      await el.start();
      await recovers();
    });

    test("the validator's own clock goes 75 s ahead", async () => {
      try {
        await endures({
          begin: () => net.fault(NAME, { clockOffsetMs: 75_000 }),
          says: /clock is 7\d s ahead of the execution client's.*synchronise the clocks/,
          logs: [
            /code=EL_CLOCK_SKEW/,
            /a proposal's time is 7\d\.\d s behind this machine's clock.*synchronise/,
          ],
          status: "misconfigured",
        });
      } finally {
        net.fault(NAME, {});
      }
      await recovers();
    });

    test("it takes 3 s for every payload", async () => {
      await endures({
        begin: () => proxy.behave(new Map([["engine_newPayloadV4", { kind: "delay", ms: 3_000 }]])),
        says: /client is at \d+ of \d+/,
        logs: [/too slow to validate blocks in time.*give it more CPU/],
        status: "replaying",
      });
      proxy.heal();
      await recovers();
    });
  });
}
