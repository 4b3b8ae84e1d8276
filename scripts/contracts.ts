/**
 * Compiles config/contracts/*.sol into artefacts beside them: `npm run contracts`. The compiler comes from npm and needs
 * no network; the same source, compiler and settings give the same bytes on every machine.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const DIRECTORY = join(import.meta.dirname, "..", "config", "contracts");

/** Contracts with an artefact. */
export const CONTRACTS: readonly string[] = ["ValidatorRegistry", "DepositContract", "ConsensusHeader"];

const SETTINGS = {
  optimizer: { enabled: true, runs: 1000 },
  evmVersion: "prague",
  // Nothing but code: a comment that changes must not change the bytes.
  metadata: { bytecodeHash: "none", appendCBOR: false },
} as const;

/** What is kept of a compiled contract. */
export interface Artefact {
  readonly contract: string;
  readonly compiler: string;
  readonly settings: typeof SETTINGS;
  readonly abi: unknown;
  /** Slot of each variable by name: genesis writes the owner there. */
  readonly storage: Readonly<Record<string, string>>;
  /** Code that a transaction creates the contract with. */
  readonly bytecode: `0x${string}`;
  /** Code of the contract: what genesis gives its address. */
  readonly deployedBytecode: `0x${string}`;
}

interface Compiler {
  version(): string;
  compile(input: string): string;
}

interface Output {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly abi: unknown;
            readonly storageLayout: {
              readonly storage: readonly { readonly label: string; readonly slot: string }[];
            };
            readonly evm: {
              readonly bytecode: { readonly object: string };
              readonly deployedBytecode: { readonly object: string };
            };
          }
        >
      >
    >
  >;
}

export function artefactFile(contract: string): string {
  return join(DIRECTORY, `${contract}.json`);
}

export function artefactText(artefact: Artefact): string {
  return `${JSON.stringify(artefact, null, 2)}\n`;
}

/** @throws Error with the compiler's words when the source has errors or warnings. */
export function compile(contract: string): Artefact {
  const compiler = createRequire(import.meta.url)("solc") as Compiler;
  const file = `${contract}.sol`;
  const input = {
    language: "Solidity",
    sources: { [file]: { content: readFileSync(join(DIRECTORY, file), "utf8") } },
    settings: {
      ...SETTINGS,
      outputSelection: {
        "*": { "*": ["abi", "storageLayout", "evm.bytecode.object", "evm.deployedBytecode.object"] },
      },
    },
  };
  const output = JSON.parse(compiler.compile(JSON.stringify(input))) as Output;
  const found = output.contracts?.[file]?.[contract];
  if (found === undefined || (output.errors ?? []).length > 0) {
    throw new Error((output.errors ?? []).map((error) => error.formattedMessage).join("\n"));
  }
  return {
    contract,
    compiler: compiler.version(),
    settings: SETTINGS,
    abi: found.abi,
    storage: Object.fromEntries(found.storageLayout.storage.map(({ label, slot }) => [label, slot])),
    bytecode: `0x${found.evm.bytecode.object}`,
    deployedBytecode: `0x${found.evm.deployedBytecode.object}`,
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const contract of CONTRACTS) {
    writeFileSync(artefactFile(contract), artefactText(compile(contract)));
    process.stdout.write(`${artefactFile(contract)}\n`);
  }
}
