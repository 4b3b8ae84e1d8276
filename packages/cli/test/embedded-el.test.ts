/** The embedded client as `validator start` keeps it: a real process on real ports. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { devnetElEntry, makeElGenesis } from "@quorate/devnet-el";
import { EmbeddedEl } from "../src/start/embedded-el.ts";

interface Held {
  readonly el: EmbeddedEl;
  readonly warnings: string[];
  /** Resolves at the first warning. */
  readonly warned: Promise<void>;
  free(): void;
}

/** A client whose Engine API port somebody else has. */
async function held(t: TestContext): Promise<Held> {
  const dir = mkdtempSync(join(tmpdir(), "quorate-el-"));
  const holder = createServer();
  holder.listen(0, "127.0.0.1");
  await once(holder, "listening");
  const address = holder.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const genesisFile = join(dir, "el-genesis.json");
  const jwtFile = join(dir, "jwt.hex");
  writeFileSync(
    genesisFile,
    JSON.stringify(makeElGenesis({ chainId: 31337, timestamp: 1_700_000_000, alloc: {} })),
  );
  writeFileSync(jwtFile, "07".repeat(32), { mode: 0o600 });
  const warnings: string[] = [];
  const warned = Promise.withResolvers<void>();
  const el = new EmbeddedEl(
    {
      ...{ entry: devnetElEntry, genesisFile, dataDir: join(dir, "el"), jwtFile },
      ...{ httpPort: 0, enginePort: address.port, gasLimit: 15_000_000, logFormat: "json" },
    },
    {
      info: () => undefined,
      warn(message) {
        warnings.push(message);
        warned.resolve();
      },
    },
    () => undefined,
  );
  t.after(async () => {
    holder.close();
    await el.stop();
    rmSync(dir, { recursive: true });
  });
  return { el, warnings, warned: warned.promise, free: () => holder.close() };
}

test("a validator that was killed and is started at once waits for the client of its last run to leave the ports", async (t) => {
  const { el, warnings, warned, free } = await held(t);
  const started = el.start();
  await warned;
  free();
  await started;
  assert.ok(el.pid !== null);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /in use.*waiting/);
});

test("a stop ends the wait for ports that stay in use", async (t) => {
  const { el, warned } = await held(t);
  const started = el.start();
  await warned;
  await el.stop();
  await assert.rejects(started, { exitCode: 4 });
});

// A validator that was killed could not be started again where an attempt took longer than the wait.
test("regression: the wait for the ports begins when they are found in use, however long the client took to find that", async (t) => {
  const { el, warnings, warned, free } = await held(t);
  const now = performance.now.bind(performance);
  let slowMs = 0;
  t.mock.method(performance, "now", () => now() + slowMs);
  const started = el.start();
  slowMs = 60_000;
  await Promise.race([warned, started]);
  free();
  await started;
  assert.equal(warnings.length, 1);
});
