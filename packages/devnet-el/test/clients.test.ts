import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { ContractFactory, JsonRpcProvider, Wallet } from "ethers";
import { createPublicClient, createWalletClient, defineChain, http, parseAbi, parseGwei } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { produceBlock } from "./support/client.ts";
import {
  CHAIN_ID,
  type Child,
  KEYS,
  startEl,
  testGenesis,
  type Workspace,
  workspace,
} from "./support/process.ts";

/** keccak("Stored(uint256)") */
const STORED = "0xc6d8c0af6d21f291e7c359603aa97e0ed500f04db6e983b9fce75a91c6b8da6b";
const ABI = parseAbi([
  "event Stored(uint256 value)",
  "function store(uint256 value)",
  "function load() view returns (uint256)",
]);

let space: Workspace;
let el: Child;
let mining: Promise<void>;
let stop = false;

before(async () => {
  space = workspace(testGenesis());
  el = await startEl(space);
  // A consensus layer that makes one block after the other, as a running network does.
  mining = (async () => {
    while (!stop) await produceBlock(el.engine);
  })();
});

after(async () => {
  stop = true;
  await mining;
  await el.stop();
  space.remove();
});

/** A contract: with 36 bytes of calldata it stores the word at 4 in slot 0 and logs it, with less it returns slot 0. */
function initCode(): `0x${string}` {
  const runtime = `602436101560135760005460005260206000f35b600435806000556000527f${STORED.slice(2)}60206000a100`;
  const length = (runtime.length / 2).toString(16).padStart(2, "0");
  return `0x60${length}600c60003960${length}6000f3${runtime}`;
}

test("viem sends, deploys, estimates, reads logs and watches blocks with its defaults", async () => {
  const chain = defineChain({
    id: CHAIN_ID,
    name: "devnet",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [el.http] } },
  });
  const account = privateKeyToAccount(KEYS[0]!);
  const wallet = createWalletClient({ account, chain, transport: http(), pollingInterval: 50 });
  const client = createPublicClient({ chain, transport: http(), pollingInterval: 50 });
  const seen: bigint[] = [];
  const unwatch = client.watchBlockNumber({ onBlockNumber: (number) => seen.push(number) });
  const to = "0x000000000000000000000000000000000000dead";
  const one = await wallet.sendTransaction({ to, value: 5n });
  assert.equal((await client.waitForTransactionReceipt({ hash: one })).status, "success");
  const three = [
    await wallet.sendTransaction({ to, value: 1n }),
    await wallet.sendTransaction({ to, value: 1n }),
    await wallet.sendTransaction({ to, value: 1n, maxPriorityFeePerGas: parseGwei("2") }),
  ];
  for (const hash of three) await client.waitForTransactionReceipt({ hash });
  assert.equal(await client.getBalance({ address: to }), 8n);
  const deployed = await client.waitForTransactionReceipt({
    hash: await wallet.deployContract({ abi: ABI, bytecode: initCode() }),
  });
  const address = deployed.contractAddress;
  assert.ok(address);
  const stored = await client.waitForTransactionReceipt({
    hash: await wallet.writeContract({ address, abi: ABI, functionName: "store", args: [42n] }),
  });
  assert.equal(stored.status, "success");
  assert.equal(await client.readContract({ address, abi: ABI, functionName: "load" }), 42n);
  const logs = await client.getContractEvents({ address, abi: ABI, fromBlock: 0n });
  assert.deepEqual(
    logs.map((log) => log.args),
    [{ value: 42n }],
  );
  unwatch();
  assert.ok(seen.length > 0);
  const fees = await client.estimateFeesPerGas();
  assert.ok(fees.maxFeePerGas > 0n);
});

test("ethers sends, deploys and reads with its defaults", async () => {
  const provider = new JsonRpcProvider(el.http, CHAIN_ID, { pollingInterval: 50 });
  const wallet = new Wallet(KEYS[1]!, provider);
  const receipt = await (await wallet.sendTransaction({ to: wallet.address, value: 1n })).wait();
  assert.equal(receipt?.status, 1);
  const factory = new ContractFactory(
    ["function store(uint256)", "function load() view returns (uint256)", "event Stored(uint256 value)"],
    initCode(),
    wallet,
  );
  const contract = await factory.deploy();
  await contract.waitForDeployment();
  await (await contract.getFunction("store")(7n)).wait();
  assert.equal(await contract.getFunction("load")(), 7n);
  const events = await contract.queryFilter("Stored", 0);
  assert.equal(events.length, 1);
  await assert.rejects(
    wallet.sendTransaction({ to: wallet.address, value: 10n ** 30n }),
    /insufficient funds/,
  );
  provider.destroy();
});

test("cast sends and reads with its defaults", async () => {
  const run = promisify(execFile);
  const bin = join(
    dirname(createRequire(import.meta.url).resolve("@foundry-rs/cast/package.json")),
    "bin.mjs",
  );
  const cast = async (...args: string[]): Promise<string> =>
    (
      await run(process.execPath, [bin, ...args], { env: { ...process.env, ETH_RPC_URL: el.http } })
    ).stdout.trim();
  assert.equal(await cast("chain-id"), String(CHAIN_ID));
  const to = "0x000000000000000000000000000000000000beef";
  const sent = JSON.parse(await cast("send", "--json", "--private-key", KEYS[2]!, to, "--value", "9")) as {
    status: string;
  };
  assert.equal(sent.status, "0x1");
  assert.equal(await cast("balance", to), "9");
  const created = JSON.parse(
    await cast("send", "--json", "--private-key", KEYS[2]!, "--create", initCode()),
  ) as {
    contractAddress: string;
  };
  const stored = JSON.parse(
    await cast("send", "--json", "--private-key", KEYS[2]!, created.contractAddress, "store(uint256)", "11"),
  ) as { status: string };
  assert.equal(stored.status, "0x1");
  assert.equal(await cast("call", created.contractAddress, "load()(uint256)"), "11");
});
