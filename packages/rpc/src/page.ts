/** The status page for people: one self-contained document without scripts or outside assets. */
import { toHexUpper } from "@quorate/crypto";
import type { Method } from "./methods.ts";
import type { RpcView } from "./types.ts";

/** No script, nothing from elsewhere: the page is text and its own style. */
export const PAGE_POLICY: string =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:52rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.3rem}h2{font-size:1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .75rem .25rem 0;vertical-align:top;border-bottom:1px solid #e3e6ea}
th{font-weight:600;white-space:nowrap;width:12rem}code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
.ok{color:#0a7d33}.bad{color:#b42318}
@media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#14171a}th,td{border-color:#2b3036}a{color:#8ab4f8}.ok{color:#4ade80}.bad{color:#f87171}}`;

/** The page as HTML. It reloads itself every five seconds. */
export function statusPage(view: RpcView, methods: ReadonlyMap<string, Method>): string {
  const node = view.nodeInfo();
  const consensus = view.consensus();
  const execution = view.executionSummary();
  const readiness = view.readiness();
  const missing = consensus.missing.map(toHexUpper).join(", ");
  const rows: readonly (readonly [name: string, value: string])[] = [
    ["Chain", node.network],
    ["Node", `${node.moniker} (${node.version})`],
    ["Peer id", node.id],
    ["Genesis hash", node.genesisHash.toUpperCase()],
    ["Height", `${view.height} (earliest ${view.base})`],
    ["Consensus", `height ${consensus.height}, round ${consensus.round}, ${consensus.step}`],
    [
      "Votes",
      `prevotes ${consensus.prevotesPower} and precommits ${consensus.precommitsPower} of ${consensus.totalPower}`,
    ],
    ["Missing votes", missing === "" ? "none" : missing],
    ["Validator", node.validator === null ? "no (full node)" : toHexUpper(node.validator.address)],
    ["Execution", `${execution.client}, height ${execution.executedHeight}, ${execution.lag} behind`],
    ["Execution head", execution.head],
    ["Peers", String(view.peers().length)],
  ];
  const state = readiness.ready
    ? '<strong class="ok">ready</strong>'
    : `<strong class="bad">not ready</strong>: ${escapeHtml(readiness.reasons.join("; "))}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="refresh" content="5"><title>${escapeHtml(node.moniker)} · ${escapeHtml(node.network)}</title>
<style>${STYLE}</style></head><body>
<h1>${escapeHtml(node.moniker)} on ${escapeHtml(node.network)}</h1><p>${state}</p>
<table>${rows.map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td><code>${escapeHtml(value)}</code></td></tr>`).join("\n")}</table>
<h2>Methods</h2><p>${methodLinks(methods)}</p>
<p>Also: <a href="/ready">/ready</a>. POST takes JSON-RPC 2.0, single calls and batches.</p>
</body></html>
`;
}

function methodLinks(methods: ReadonlyMap<string, Method>): string {
  return [...methods]
    .map(([name, method]) => {
      const parameters = method.parameters.length === 0 ? "" : `(${method.parameters.join(", ")})`;
      return `<a href="/${name}">${name}</a>${escapeHtml(parameters)}`;
    })
    .join(" · ");
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
