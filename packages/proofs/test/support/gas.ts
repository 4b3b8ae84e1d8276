/** What every operation of owners, stakers and provers costs in gas: the calls that the commands send, in a client's blocks. */
import { readFileSync } from "node:fs";
import { type Header, headerHash, timeFromMs } from "@quorate/chain";
import { sha256, utf8Encode } from "@quorate/crypto";
import { type Abi, encodeFunctionData, type Hex, toHex } from "viem";
import { DEPOSIT_ADDRESS, depositAccount } from "../../../cli/src/home/deposit-contract.ts";
import {
  REGISTRY_ADDRESS,
  registryAccount,
  registryArtefact,
} from "../../../cli/src/home/registry-contract.ts";
import {
  depositCall,
  exitCall,
  paramCall,
  powerCall,
  type Registration,
  registerCall,
  upgradeCall,
  withdrawCall,
} from "../../../cli/src/registry/calls.ts";
import { produceBlock, type Rpc } from "../../../devnet-el/test/support/client.ts";
import { ADDRESSES, testGenesis } from "../../../devnet-el/test/support/process.ts";
import { Signers } from "../../../devnet-el/test/support/transactions.ts";
import { consensusHeaderAbi, hashProof, headerFacts } from "../../src/index.ts";

export interface GasRow {
  readonly operation: string;
  readonly by: string;
  readonly how: string;
  readonly gas: number;
}

interface Call {
  readonly to: Hex;
  readonly data: Hex;
  readonly value?: bigint;
}

const MAX_BLOCKS = 200;
const PROVER: Hex = `0x${"c0".repeat(20)}`;
const [OWNER, OPERATOR, NEXT] = [0, 1, 2] as const;

const digest = (text: string): Uint8Array => sha256(utf8Encode(text));

/** A genesis with all three contracts; what a chain has one of, for which gas makes no difference. */
export function gasGenesis(): ReturnType<typeof testGenesis> {
  const { deployedBytecode } = JSON.parse(
    readFileSync(new URL("../../../../config/contracts/ConsensusHeader.json", import.meta.url), "utf8"),
  ) as { deployedBytecode: Hex };
  const genesis = testGenesis({ depositContractAddress: REGISTRY_ADDRESS });
  return {
    ...genesis,
    alloc: {
      ...genesis.alloc,
      [REGISTRY_ADDRESS]: registryAccount(ADDRESSES[OWNER]!),
      [DEPOSIT_ADDRESS]: depositAccount(),
      [PROVER]: { balance: "0x0", nonce: "0x1", code: deployedBytecode },
    },
  };
}

/** Without a zero byte, which would be cheaper: what is measured is the most. */
function registration(name: string): Registration {
  const full = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte | 1);
  const proof = new Uint8Array([...full(digest(`${name} R`)), ...full(digest(`${name} s`))]);
  return { pubKey: full(digest(name)), operator: `0x${"1f".repeat(20)}`, proof };
}

/** Each operation as a transaction in a block of its own. @throws when one fails. */
export async function measureGas({
  eth,
  engine,
}: {
  readonly eth: Rpc;
  readonly engine: Rpc;
}): Promise<GasRow[]> {
  const signers = new Signers();
  const rows: GasRow[] = [];
  const send = async (from: number, call: Call): Promise<number> => {
    const { to, data, value = 0n } = call;
    const hash = await eth<Hex>("eth_sendRawTransaction", await signers.sign(from, { to, data, value }));
    // Geth fills a payload while it is asked for: the first may be empty.
    for (let block = 0; block < MAX_BLOCKS; block++) {
      await produceBlock(engine);
      const receipt = await eth<{ status: Hex; gasUsed: Hex } | null>("eth_getTransactionReceipt", hash);
      if (receipt === null) continue;
      if (receipt.status !== "0x1") throw new Error(`a call of ${to} failed: ${data.slice(0, 10)}`);
      return Number(receipt.gasUsed);
    }
    throw new Error(`a call of ${to} is in none of ${MAX_BLOCKS} blocks: ${data.slice(0, 10)}`);
  };
  const row = async (operation: string, by: string, how: string, from: number, call: Call): Promise<void> => {
    rows.push({ operation, by, how, gas: await send(from, call) });
  };
  await registryRows(row, signers);
  await stakeRows(row, rows);
  await proofRows(rows, engine, send);
  return rows;
}

type AddRow = (operation: string, by: string, how: string, from: number, call: Call) => Promise<void>;

async function registryRows(row: AddRow, signers: Signers): Promise<void> {
  const abi: Abi = registryArtefact().abi;
  const own = (functionName: string, ...args: readonly unknown[]): Call => ({
    to: REGISTRY_ADDRESS,
    data: encodeFunctionData({ abi, functionName, args }),
  });
  const first = { ...registration("first"), operator: signers.address(OPERATOR) };
  const owner = "registry's owner";
  await row("register the first key of a chain", owner, "`validator join`", OWNER, registerCall(first, 10n));
  await row("register a key", owner, "`validator join`", OWNER, registerCall(registration("second"), 10n));
  await row("set a power", owner, "`validator power A N`", OWNER, powerCall(first.pubKey, 2n ** 40n));
  await row("remove a validator", owner, "`validator power A 0`", OWNER, powerCall(first.pubKey, 0n));
  await row("set a param", owner, "`validator param`", OWNER, paramCall("timeout_precommit_delta", 300n));
  await row("schedule an upgrade", owner, "`validator upgrade`", OWNER, upgradeCall(1_000_000n, 2n));
  await row(
    "begin a hand-over",
    owner,
    "`transferOwnership`",
    OWNER,
    own("transferOwnership", signers.address(NEXT)),
  );
  await row("accept a hand-over", "the next owner", "`acceptOwnership`", NEXT, own("acceptOwnership"));
  await row("leave", "operator", "`exit` of the contract", OPERATOR, own("exit", toHex(first.pubKey)));
}

/** Deposits differ by how many siblings the contract's tree has to hash: the first and then up to the 16th are seen. */
async function stakeRows(row: AddRow, rows: GasRow[]): Promise<void> {
  const staker = "anybody";
  const deposit = depositCall(registration("staker"), 32_123_456_789n);
  await row("deposit, the first of a chain", staker, "`validator join`", OPERATOR, deposit);
  const before = rows.length;
  for (let i = 2; i <= 16; i++) await row("deposit", staker, "`validator join`", OPERATOR, deposit);
  const later = rows.splice(before);
  const gas = later.map((each) => each.gas);
  rows.push(
    { ...later[0]!, operation: "deposit, the least of the next 15", gas: Math.min(...gas) },
    { ...later[0]!, operation: "deposit, the most of them", gas: Math.max(...gas) },
  );
  const keyOf = (name: string): Uint8Array => registration(name).pubKey;
  const owner = "validator's owner";
  await row(
    "leave, the first request of a chain",
    owner,
    "`validator exit`",
    OPERATOR,
    exitCall(keyOf("first"), 2n),
  );
  const part = withdrawCall(keyOf("second"), 5_123_456_789n, 2n);
  await row("withdraw a part", owner, "`validator withdraw`", OPERATOR, part);
  await row("leave", owner, "`validator exit`", OPERATOR, exitCall(keyOf("third"), 2n));
}

async function proofRows(
  rows: GasRow[],
  engine: Rpc,
  send: (from: number, call: Call) => Promise<number>,
): Promise<void> {
  const header = sampleHeader();
  const root = toHex(headerHash(header));
  const { executionPayload } = await produceBlock(engine, { parentBeaconBlockRoot: root });
  const timestamp = BigInt(executionPayload.timestamp);
  const abi = consensusHeaderAbi;
  const { index, value, aunts } = hashProof(header, "validatorsHash");
  const calls: readonly (readonly [operation: string, name: string, data: Hex])[] = [
    [
      "prove height, set and app hash of a header",
      "requireFacts",
      encodeFunctionData({ abi, functionName: "requireFacts", args: [timestamp, headerFacts(header)] }),
    ],
    [
      "prove validators_hash of a header",
      "requireHash",
      encodeFunctionData({ abi, functionName: "requireHash", args: [timestamp, index, value, aunts] }),
    ],
  ];
  for (const [operation, name, data] of calls) {
    const gas = await send(OPERATOR, { to: PROVER, data });
    rows.push({ operation, by: "anybody", how: `\`${name}\` of ConsensusHeader`, gas });
  }
}

function sampleHeader(): Header {
  const of = (name: string): Uint8Array => digest(name).map((byte) => byte | 1);
  return {
    version: { block: 11n, app: 1n },
    chainId: "gas-of-proofs",
    height: 1_000_000,
    time: timeFromMs(1_800_000_000_000),
    lastBlockId: { hash: of("last"), parts: { total: 1, hash: of("parts") } },
    lastCommitHash: of("commit"),
    dataHash: of("data"),
    validatorsHash: of("validators"),
    nextValidatorsHash: of("next"),
    consensusHash: of("consensus"),
    appHash: of("app"),
    lastResultsHash: sha256(),
    evidenceHash: sha256(),
    proposerAddress: of("proposer").subarray(0, 20),
  };
}

/** As docs/contracts.md has it. */
export function gasTable(rows: readonly GasRow[]): string {
  const cells = rows.map(({ operation, by, how, gas }) => [operation, by, how, gas.toLocaleString("en-US")]);
  const head = ["operation", "by", "how", "gas"];
  const widths = head.map((title, at) => Math.max(title.length, ...cells.map((row) => row[at]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 3 ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join(" | ")} |`;
  const rule = `| ${widths.map((width, at) => (at === 3 ? `${"-".repeat(width - 1)}:` : "-".repeat(width))).join(" | ")} |`;
  return [line(head), rule, ...cells.map(line)].join("\n");
}
