/** The deposit contract of config/contracts beside the one that Ethereum runs: the same calls, the same answers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type Abi, encodeFunctionData, type Hex, sha256, toHex } from "viem";
import { DEPOSIT } from "../src/genesis/system-contracts.ts";
import { type BuiltEnvelope, produceBlock, RemoteError } from "./support/client.ts";
import { ADDRESSES, type Child, startEl, testGenesis, type Workspace, workspace } from "./support/process.ts";
import { random, Signers } from "./support/transactions.ts";

const artefact = JSON.parse(
  readFileSync(new URL("../../../config/contracts/DepositContract.json", import.meta.url), "utf8"),
) as { abi: Abi; deployedBytecode: Hex };
const OURS = DEPOSIT.address;
const PUBLISHED: Hex = `0x${"d0".repeat(20)}`;
const ETHER = 10n ** 18n;

interface Receipt {
  readonly status: string;
  readonly gasUsed: string;
  readonly logs: readonly { readonly data: Hex; readonly topics: readonly Hex[] }[];
}

interface Deposit {
  readonly key: Hex;
  readonly credentials: Hex;
  readonly signature: Hex;
  readonly value: bigint;
}

let space: Workspace;
let el: Child;
const signers = new Signers();

before(async () => {
  const genesis = testGenesis();
  space = workspace({
    ...genesis,
    alloc: {
      ...genesis.alloc,
      [OURS]: { balance: "0x0", nonce: "0x1", code: artefact.deployedBytecode },
      [PUBLISHED]: genesis.alloc[DEPOSIT.address]!,
    },
  });
  el = await startEl(space);
  await produceBlock(el.engine);
});

after(async () => {
  await el.stop();
  space.remove();
});

const little = (value: bigint): string =>
  Buffer.from(toHex(value, { size: 8 }).slice(2), "hex")
    .reverse()
    .toString("hex");
const join = (...parts: readonly string[]): Hex =>
  `0x${parts.map((part) => part.replace("0x", "")).join("")}`;

/** SSZ root of a deposit as the consensus specs of Ethereum define it. */
function dataRoot({ key, credentials, signature, value }: Deposit): Hex {
  const pair = (left: Hex, right: Hex): Hex => sha256(join(left, right));
  const zero: Hex = `0x${"00".repeat(32)}`;
  const [first, second, third] = [0, 32, 64].map(
    (at): Hex => `0x${signature.slice(2 + 2 * at, 66 + 2 * at)}`,
  );
  return pair(
    pair(sha256(join(key, "00".repeat(16))), credentials),
    pair(join(little(value / 10n ** 9n), "00".repeat(24)), pair(pair(first!, second!), pair(third!, zero))),
  );
}

function callData(deposit: Deposit, root: Hex = dataRoot(deposit)): Hex {
  const { key, credentials, signature } = deposit;
  return encodeFunctionData({
    abi: artefact.abi,
    functionName: "deposit",
    args: [key, credentials, signature, root],
  });
}

async function answers(functionName: string, args: readonly unknown[] = []): Promise<readonly Hex[]> {
  const data = encodeFunctionData({ abi: artefact.abi, functionName, args });
  return await Promise.all([OURS, PUBLISHED].map((to) => el.eth<Hex>("eth_call", { to, data }, "latest")));
}

/** Whether each contract refuses a call. */
async function refusals(data: Hex, value: bigint): Promise<readonly boolean[]> {
  return await Promise.all(
    [OURS, PUBLISHED].map(async (to) => {
      try {
        await el.eth("eth_call", { from: ADDRESSES[0], to, data, value: toHex(value) }, "latest");
        return false;
      } catch (error) {
        assert.ok(error instanceof RemoteError);
        return true;
      }
    }),
  );
}

async function send(deposit: Deposit): Promise<{ built: BuiltEnvelope; receipts: readonly Receipt[] }> {
  const hashes: Hex[] = [];
  for (const [sender, to] of [OURS, PUBLISHED].entries()) {
    const raw = await signers.sign(sender, { to, data: callData(deposit), value: deposit.value });
    hashes.push(await el.eth<Hex>("eth_sendRawTransaction", raw));
  }
  const built = await produceBlock(el.engine);
  const receipts = await Promise.all(
    hashes.map((hash) => el.eth<Receipt>("eth_getTransactionReceipt", hash)),
  );
  return { built, receipts };
}

function randomDeposit(seed: number): Deposit {
  const { hex, below } = random(seed);
  return {
    key: hex(48),
    credentials: hex(32),
    signature: hex(96),
    value: ETHER + BigInt(below(10 ** 9)) * 10n ** 9n,
  };
}

describe("the deposit contract", () => {
  test("logs, roots and counts as Ethereum's does, deposit by deposit", async (t) => {
    const [empty, published] = await answers("get_deposit_root");
    assert.equal(empty, published);
    const gas: string[] = [];
    for (let i = 0; i < 9; i++) {
      const deposit = randomDeposit(i);
      const { built, receipts } = await send(deposit);
      const [ours, theirs] = receipts;
      assert.deepEqual([ours!.status, theirs!.status], ["0x1", "0x1"]);
      assert.deepEqual(
        ours!.logs.map(({ data, topics }) => [data, topics]),
        theirs!.logs.map(({ data, topics }) => [data, topics]),
      );
      const { key, credentials, signature, value } = deposit;
      assert.deepEqual(built.executionRequests, [
        join("00", key, credentials, little(value / 10n ** 9n), signature, little(BigInt(i))),
      ]);
      for (const name of ["get_deposit_root", "get_deposit_count"]) {
        const [our, their] = await answers(name);
        assert.equal(our, their, `${name} after ${i + 1}`);
      }
      gas.push(`${Number(ours!.gasUsed)} (${Number(theirs!.gasUsed)})`);
    }
    t.diagnostic(`gas of ours (and of Ethereum's): ${gas.join(", ")}`);
  });

  test("refuses what Ethereum's refuses: lengths, amounts and a root of other fields", async () => {
    const deposit = randomDeposit(77);
    const cut = (hex: Hex): Hex => hex.slice(0, -2) as Hex;
    const cases: readonly (readonly [name: string, data: Hex, value: bigint, refused: boolean])[] = [
      ["as it should be", callData(deposit), deposit.value, false],
      ["a key of 47 bytes", callData({ ...deposit, key: cut(deposit.key) }), deposit.value, true],
      ["a key of 49 bytes", callData({ ...deposit, key: `${deposit.key}00` }), deposit.value, true],
      [
        "credentials of 31 bytes",
        callData({ ...deposit, credentials: cut(deposit.credentials) }),
        deposit.value,
        true,
      ],
      [
        "a signature of 97 bytes",
        callData({ ...deposit, signature: `${deposit.signature}00` }),
        deposit.value,
        true,
      ],
      ["another amount", callData(deposit), deposit.value + 10n ** 9n, true],
      ["a root of zeros", callData(deposit, `0x${"00".repeat(32)}`), deposit.value, true],
      ...([ETHER, ETHER - 10n ** 9n, ETHER + 1n, 0n] as const).map(
        (value) => [`${value} wei`, callData({ ...deposit, value }), value, value !== ETHER] as const,
      ),
    ];
    for (const [name, data, value, refused] of cases) {
      assert.deepEqual(await refusals(data, value), [refused, refused], name);
    }
    assert.deepEqual(await refusals("0x12345678", 0n), [true, true], "an unknown function");
  });

  test("names the same interfaces (ERC-165)", async () => {
    for (const id of ["0x01ffc9a7", "0x85640907", "0xffffffff", "0x22895118"]) {
      const [ours, theirs] = await answers("supportsInterface", [id]);
      assert.equal(ours, theirs, id);
    }
  });
});
