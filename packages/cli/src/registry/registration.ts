/** Registrations: a key, the account that is to own it, and the proof that its holder agrees. */
import { readFile } from "node:fs/promises";
import { CliError, ExitCode } from "../errors.ts";
import { textAt } from "../rpc-client.ts";
import type { Registration } from "./calls.ts";
import { readGenesis } from "./chain.ts";
import { base64 } from "./view.ts";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

/** Key and proof of this home for `operator`. @throws CliError usage when that is no account. */
export async function registrationOf(home: string, operator: string | null): Promise<Registration> {
  const { homePaths } = await import("@quorate/node/home");
  const { parseGenesis } = await import("@quorate/chain");
  const { provePossession } = await import("@quorate/privval");
  if (operator === null || !ADDRESS.test(operator)) {
    throw new CliError(
      ExitCode.usage,
      "the validator needs an account that owns it",
      "name it: --operator 0x…",
    );
  }
  const paths = homePaths(home);
  const genesis = parseGenesis(await readFile(paths.genesis, "utf8"));
  const owner = new Uint8Array(Buffer.from(operator.slice(2), "hex"));
  const { publicKey, proof } = await provePossession(paths.validatorKey, {
    chainId: genesis.chainId,
    elGenesisHash: genesis.elGenesisHash,
    owner,
  });
  return { pubKey: publicKey, operator, proof };
}

/** What `join --print` wrote. @throws CliError config. */
export async function registrationIn(file: string): Promise<Registration> {
  try {
    const document: unknown = JSON.parse(await readFile(file, "utf8"));
    const bytes = (key: string): Uint8Array => new Uint8Array(Buffer.from(textAt(document, key), "base64"));
    const registration = {
      pubKey: bytes("pub_key"),
      operator: textAt(document, "operator"),
      proof: bytes("proof"),
    };
    const { pubKey, operator, proof } = registration;
    if (pubKey.length === 32 && proof.length === 64 && ADDRESS.test(operator)) return registration;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  throw new CliError(ExitCode.config, `${file} is no registration`, "make it with `validator join --print`");
}

export function registrationJson({ pubKey, operator, proof }: Registration): object {
  return { pub_key: base64(pubKey), operator, proof: base64(proof) };
}

/**
 * Refuses a registration whose proof does not hold on the node's chain: the chain would ignore it, and keep its ether.
 * @throws CliError config.
 */
export async function checkProof({ pubKey, operator, proof }: Registration, node: string): Promise<void> {
  const { provesPossession } = await import("@quorate/chain");
  const { chainId, elGenesisHash } = await readGenesis(node);
  const owner = new Uint8Array(Buffer.from(operator.slice(2), "hex"));
  if (provesPossession({ chainId, elGenesisHash, pubKey, owner }, proof)) return;
  throw new CliError(
    ExitCode.config,
    `the proof of ${base64(pubKey)} does not hold for ${operator} on ${chainId}`,
    "have its holder make it anew: `validator join --print`, with this chain's genesis",
  );
}
