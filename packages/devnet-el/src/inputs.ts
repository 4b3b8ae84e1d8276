import { readFileSync } from "node:fs";
import { DevnetElError, reasonOf } from "./errors.ts";
import { type ChainSpec, parseElGenesis } from "./genesis/parse.ts";
import type { Options } from "./options.ts";

/** What the files named on the command line say. */
export interface Inputs {
  readonly spec: ChainSpec;
  /** 32 bytes shared with the consensus layer */
  readonly secret: Uint8Array;
}

function readFile(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw new DevnetElError("GENESIS", `cannot read the ${what} ${path}: ${reasonOf(thrown)}`, { path });
  }
}

function readGenesis(path: string): ChainSpec {
  const text = readFile(path, "genesis file");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (thrown) {
    throw new DevnetElError("GENESIS", `the genesis file ${path} is not JSON: ${reasonOf(thrown)}`, { path });
  }
  return parseElGenesis(parsed);
}

function readSecret(path: string): Uint8Array {
  const digits = readFile(path, "JWT secret").trim().replace(/^0x/, "");
  if (!/^[0-9a-fA-F]{64}$/.test(digits)) {
    throw new DevnetElError("GENESIS", `the JWT secret ${path} must be 32 bytes in hex`, { path });
  }
  return new Uint8Array(Buffer.from(digits, "hex"));
}

/** Reads genesis and secret. Throws DevnetElError GENESIS. */
export function readInputs(options: Options): Inputs {
  return { spec: readGenesis(options.genesisFile), secret: readSecret(options.jwtFile) };
}
