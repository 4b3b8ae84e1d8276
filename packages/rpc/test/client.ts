import assert from "node:assert/strict";
import { createRpcServer, type RpcView } from "@quorate/rpc";
import { recordingLog } from "./memory-chain.ts";

export const START_MS = 1_767_225_600_000;
export const quiet = (): { log: ReturnType<typeof recordingLog>["log"]; metrics: null } => ({
  log: recordingLog().log,
  metrics: null,
});

export interface Header {
  readonly height: string;
}

export interface Page {
  readonly block_height: string;
  readonly count: string;
  readonly total: string;
}

/** What the tests below read of any answer; of each method's own only a part is there. */
export interface Result extends Page {
  readonly block: { readonly header: Header } | null;
  readonly block_id: { readonly hash: string };
  readonly header: Header | null;
  readonly canonical: boolean;
  readonly signed_header: {
    readonly header: Header;
    readonly commit: { readonly round: number; readonly signatures: readonly object[] };
  };
  readonly validators: readonly { readonly voting_power: string; readonly proposer_priority: string }[];
  readonly last_height: string;
  readonly block_metas: readonly { readonly header: Header; readonly num_txs: string }[];
  readonly genesis: object;
  readonly data: string;
  readonly consensus_params: { readonly block: { readonly max_bytes: string } };
  readonly node_info: { readonly network: string };
  readonly sync_info: {
    readonly latest_block_height: string;
    readonly latest_block_hash: string;
    readonly earliest_block_height: string;
  };
  readonly validator_info: { readonly voting_power: string };
  readonly genesis_hash: string;
  readonly consensus: {
    readonly height: string;
    readonly step: string;
    readonly prevotes_power: string;
    readonly missing: readonly string[];
  };
  readonly execution: { readonly el_ready: boolean; readonly executed_height: string };
  readonly upgrades: { readonly scheduled: readonly object[] };
  readonly n_peers: string;
  readonly peers: readonly { readonly remote_ip: string }[];
  readonly response: { readonly last_block_height: string; readonly last_block_app_hash: string };
  readonly round_state: {
    readonly "height/round/step": string;
    readonly validators: { readonly validators: readonly object[] };
  };
  readonly code: number;
  readonly log: string;
}

export interface Reply {
  readonly jsonrpc: string;
  readonly id: number | string | null;
  readonly result: Result;
  readonly error?: { readonly code: number; readonly message: string; readonly data: string };
}

/** A client of one server. */
export class Client {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async raw(body: string, path = "/"): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(this.url + path, { method: "POST", body });
    return { status: response.status, text: await response.text() };
  }

  async post(method: string, params?: unknown): Promise<Reply> {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 7,
      method,
      ...(params === undefined ? {} : { params }),
    });
    const { status, text } = await this.raw(body);
    assert.equal(status, 200, text);
    return JSON.parse(text) as Reply;
  }

  async get(path: string): Promise<Reply & { readonly status: number }> {
    const response = await fetch(this.url + path);
    return { ...((await response.json()) as Reply), status: response.status };
  }
}

export async function withServer(view: RpcView, run: (client: Client) => Promise<void>): Promise<void> {
  const server = await createRpcServer({ listen: "127.0.0.1:0" }, view, quiet());
  try {
    await run(new Client(server.url));
  } finally {
    await server.close();
  }
}
