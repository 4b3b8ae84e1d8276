import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import {
  type Abi,
  decodeErrorResult,
  decodeEventLog,
  encodeFunctionData,
  type Hex,
  sha256,
  toHex,
} from "viem";
import { type BuiltEnvelope, produceBlock, RemoteError } from "./support/client.ts";
import { type Child, startEl, testGenesis, type Workspace, workspace } from "./support/process.ts";
import { Signers } from "./support/transactions.ts";

/** The registry contract of config/contracts on this client: what its owner's calls put into a block. */
const artefact = JSON.parse(
  readFileSync(new URL("../../../config/contracts/ValidatorRegistry.json", import.meta.url), "utf8"),
) as { abi: Abi; deployedBytecode: Hex; storage: { owner: string } };
const REGISTRY = "0x51756f7261746500000000000000000000000001";
const [OWNER, OPERATOR, STRANGER, NEXT] = [0, 1, 2, 3] as const;
const KEY: Hex = `0x${"ab".repeat(32)}`;
const PROOF: Hex = `0x${"cd".repeat(64)}`;

interface Log {
  readonly data: Hex;
  readonly topics: [Hex, ...Hex[]];
}

interface Receipt {
  readonly status: string;
  readonly gasUsed: string;
  readonly logs: readonly Log[];
}

let space: Workspace;
let el: Child;
const signers = new Signers();
const gas: Record<string, number> = {};

before(async () => {
  const owner = signers.address(OWNER).slice(2).padStart(64, "0");
  const genesis = testGenesis({ depositContractAddress: REGISTRY });
  const slot = `0x${BigInt(artefact.storage.owner).toString(16).padStart(64, "0")}`;
  space = workspace({
    ...genesis,
    alloc: {
      ...genesis.alloc,
      [REGISTRY]: {
        balance: "0x0",
        nonce: "0x1",
        code: artefact.deployedBytecode,
        storage: { [slot]: `0x${owner}` },
      },
    },
  });
  el = await startEl(space);
  await produceBlock(el.engine);
});

after(async () => {
  await el.stop();
  space.remove();
});

/** Sends a call and puts it into a block. */
async function send(
  from: number,
  functionName: string,
  args: readonly unknown[],
): Promise<{ readonly built: BuiltEnvelope; readonly receipt: Receipt }> {
  const data = encodeFunctionData({ abi: artefact.abi, functionName, args });
  const raw = await signers.sign(from, { to: REGISTRY, data });
  const hash = await el.eth<Hex>("eth_sendRawTransaction", raw);
  const built = await produceBlock(el.engine);
  const receipt = await el.eth<Receipt>("eth_getTransactionReceipt", hash);
  gas[functionName] = Number(receipt.gasUsed);
  return { built, receipt };
}

async function refusal(from: number, functionName: string, args: readonly unknown[]): Promise<string> {
  const data = encodeFunctionData({ abi: artefact.abi, functionName, args });
  try {
    await el.eth("eth_call", { from: signers.address(from), to: REGISTRY, data }, "latest");
  } catch (error) {
    assert.ok(error instanceof RemoteError);
    return decodeErrorResult({ abi: artefact.abi, data: error.data as Hex }).errorName;
  }
  return "none";
}

/** 192 bytes as EIP-6110 wants them. */
function deposit(key: Hex, credentials: Hex, amount: bigint, signature: Hex, index: bigint): Hex {
  const little = (value: bigint): string =>
    Buffer.from(toHex(value, { size: 8 }).slice(2), "hex")
      .reverse()
      .toString("hex");
  const field = (hex: Hex, bytes: number): string => hex.slice(2).padEnd(2 * bytes, "0");
  return `0x00${field(key, 48)}${credentials.slice(2)}${little(amount)}${field(signature, 96)}${little(index)}`;
}

const ZERO: Hex = `0x${"00".repeat(32)}`;
const ascii = (text: string): Hex => toHex(new TextEncoder().encode(text));

function eventNames(receipt: Receipt): string[] {
  return receipt.logs.map((log) => decodeEventLog({ abi: artefact.abi, ...log }).eventName ?? "");
}

describe("the registry contract", () => {
  test("puts each call of its owner into the block as one deposit request, and says it readably", async () => {
    const operator = signers.address(OPERATOR);
    const calls: readonly (readonly [name: string, args: readonly unknown[], request: Hex, event: string])[] =
      [
        [
          "register",
          [KEY, operator, 7n, PROOF],
          deposit(KEY, `0x01${"00".repeat(11)}${operator.slice(2)}`, 7n, PROOF, 0n),
          "ValidatorRegistered",
        ],
        ["setPower", [KEY, 2n ** 60n], deposit(KEY, ZERO, 2n ** 60n, "0x", 1n), "PowerSet"],
        [
          "setParam",
          ["precision", 300n],
          deposit(ascii("QUORATE-PARAM-1"), sha256(ascii("precision")), 300n, "0x", 2n),
          "ParamSet",
        ],
        [
          "scheduleUpgrade",
          [900n, 2n],
          deposit(ascii("QUORATE-UPGRADE-1"), toHex(900n, { size: 32 }), 2n, "0x", 3n),
          "UpgradeScheduled",
        ],
      ];
    for (const [name, args, request, event] of calls) {
      const { built, receipt } = await send(OWNER, name, args);
      assert.equal(receipt.status, "0x1", name);
      assert.deepEqual(built.executionRequests, [request], name);
      assert.deepEqual(eventNames(receipt), ["DepositEvent", event]);
      assert.equal((receipt.logs[0]!.data.length - 2) / 2, 576);
    }
  });

  test("lets the operator of a key take it out, once, and nobody else", async () => {
    assert.equal(await refusal(STRANGER, "exit", [KEY]), "NotOperator");
    assert.equal(await refusal(OWNER, "exit", [KEY]), "NotOperator");
    const { built, receipt } = await send(OPERATOR, "exit", [KEY]);
    assert.deepEqual(built.executionRequests, [deposit(KEY, ZERO, 0n, "0x", 4n)]);
    assert.deepEqual(eventNames(receipt), ["DepositEvent", "ValidatorExited"]);
    assert.equal(await refusal(OPERATOR, "exit", [KEY]), "NotOperator");
  });

  test("refuses strangers, a zero operator and a proof of another length: no log, no request", async () => {
    assert.equal(
      await refusal(STRANGER, "register", [KEY, signers.address(OPERATOR), 7n, PROOF]),
      "NotOwner",
    );
    assert.equal(await refusal(STRANGER, "setPower", [KEY, 7n]), "NotOwner");
    assert.equal(await refusal(STRANGER, "setParam", ["precision", 7n]), "NotOwner");
    assert.equal(await refusal(STRANGER, "scheduleUpgrade", [7n, 7n]), "NotOwner");
    assert.equal(await refusal(STRANGER, "transferOwnership", [signers.address(STRANGER)]), "NotOwner");
    assert.equal(await refusal(OWNER, "register", [KEY, `0x${"00".repeat(20)}`, 7n, PROOF]), "ZeroAddress");
    assert.equal(
      await refusal(OWNER, "register", [KEY, signers.address(OPERATOR), 7n, "0x00"]),
      "ProofLength",
    );
    const { built, receipt } = await send(STRANGER, "setPower", [KEY, 7n]);
    assert.equal(receipt.status, "0x0");
    assert.deepEqual(built.executionRequests, []);
  });

  test("is handed over in two steps: only who accepts becomes the owner", async () => {
    await send(OWNER, "transferOwnership", [signers.address(NEXT)]);
    assert.equal(await refusal(NEXT, "setPower", [KEY, 7n]), "NotOwner");
    assert.equal(await refusal(STRANGER, "acceptOwnership", []), "NotPendingOwner");
    assert.deepEqual((await send(NEXT, "acceptOwnership", [])).built.executionRequests, []);
    assert.equal(await refusal(OWNER, "setPower", [KEY, 7n]), "NotOwner");
    const { built } = await send(NEXT, "setPower", [KEY, 7n]);
    assert.deepEqual(built.executionRequests, [deposit(KEY, ZERO, 7n, "0x", 5n)]);
    assert.equal(await refusal(NEXT, "acceptOwnership", []), "NotPendingOwner");
  });

  test("costs less than 100,000 gas a call", (t) => {
    t.diagnostic(
      `gas: ${Object.entries(gas)
        .map(([name, used]) => `${name} ${used}`)
        .join(", ")}`,
    );
    assert.ok(Object.keys(gas).length >= 6);
    for (const [name, used] of Object.entries(gas)) assert.ok(used < 100_000, name);
  });
});
