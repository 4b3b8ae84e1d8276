/** `npm run sim -- --wan`: validators all over the world on measured costs. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { renderTracePage } from "../trace-page/render.ts";
import { CostsError } from "./costs.ts";
import { REGIONS, type Region, regionsNamed } from "./regions.ts";
import { wanText } from "./report.ts";
import { runWan, type WanOptions } from "./run.ts";

export const WAN_USAGE = `npm run sim -- --wan [--validators 100] [--heights 10] [--block-bytes 0] [--regions LIST] [--mbit 1000]
               [--warm-connections] [--seed 1] [--trace FILE.html] [--json]

  --validators N      spread evenly over the regions, default 100
  --heights N         that are counted, after two that are not; default 10
  --block-bytes N     transactions in every block, default none
  --regions LIST      of ${REGIONS.slice(0, 7).join(", ")},
                      ${REGIONS.slice(7).join(", ")}; default all
  --mbit N            each node's connection to the world, default 1000
  --warm-connections  connections that rested keep their window (net.ipv4.tcp_slow_start_after_idle = 0)
  --trace FILE        one self-contained page that shows the run; judges it by the laws, too
  --json              one JSON document on stdout, the same for the same arguments but for wall_ms

Prints how long a height takes and what it costs each node. Exit 0: all heights were reached; 1: a stall; 2: usage.
`;

/** Largest set that the product takes. */
const MOST_VALIDATORS = 512;

class WanUsageError extends Error {}

function options(args: string[]): {
  readonly run: WanOptions;
  readonly json: boolean;
  readonly page: string | null;
} {
  let values: { readonly [name: string]: string | boolean | undefined };
  try {
    ({ values } = parseArgs({
      args,
      options: {
        wan: { type: "boolean" },
        validators: { type: "string", default: "100" },
        heights: { type: "string", default: "10" },
        "block-bytes": { type: "string", default: "0" },
        regions: { type: "string" },
        mbit: { type: "string", default: "1000" },
        "warm-connections": { type: "boolean", default: false },
        seed: { type: "string", default: "1" },
        trace: { type: "string" },
        json: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new WanUsageError(error instanceof Error ? error.message : String(error));
  }
  const whole = (name: string, least: number, most: number): number => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw new WanUsageError(
        `--${name} is a whole number from ${least} to ${most}, not "${String(values[name])}"`,
      );
    }
    return value;
  };
  return {
    json: values["json"] === true,
    page: typeof values["trace"] === "string" ? values["trace"] : null,
    run: {
      seed: whole("seed", 0, 1e9),
      validators: whole("validators", 1, MOST_VALIDATORS),
      heights: whole("heights", 1, 1e6),
      blockBytes: whole("block-bytes", 0, 8_000_000),
      megabits: whole("mbit", 1, 1e6),
      slowStartAfterIdle: values["warm-connections"] !== true,
      ...(typeof values["regions"] === "string" ? { regions: named(values["regions"]) } : {}),
    },
  };
}

function named(list: string): readonly Region[] {
  try {
    return regionsNamed(list.split(","));
  } catch (error) {
    throw new WanUsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Exit code. */
export async function wanCommand(args: string[]): Promise<number> {
  try {
    const { run, json, page } = options(args);
    const { trace, ...result } = await runWan({
      ...run,
      trace: page !== null,
      progress: (height, virtualMs) => {
        if (!json) process.stderr.write(`height ${height} at ${(virtualMs / 1000).toFixed(2)} s\n`);
      },
    });
    if (page !== null && trace !== null) {
      writeFileSync(page, renderTracePage(trace.header, trace.events, { replay: result.replay }));
    }
    process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : wanText(result));
    return result.verdict === "ok" ? 0 : 1;
  } catch (error) {
    if (error instanceof CostsError) {
      process.stderr.write(`${error.message}\n`);
      return 2;
    }
    if (!(error instanceof WanUsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${WAN_USAGE}`);
    return 2;
  }
}
