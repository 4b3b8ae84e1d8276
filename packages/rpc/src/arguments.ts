/**
 * Arguments of a call, from JSON params (object or array) or from a URI's query. Both accept CometBFT's spellings: 64-bit
 * integers as strings or numbers, byte strings as 0x-hex, hex or base64.
 */
import { fromBase64 } from "@quorate/chain";
import { fromHex, utf8Encode } from "@quorate/crypto";
import { CallError, RpcCode } from "./errors.ts";

export class Arguments {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #fromUri: boolean;

  private constructor(values: ReadonlyMap<string, unknown>, fromUri: boolean) {
    this.#values = values;
    this.#fromUri = fromUri;
  }

  /** @param names the method's parameters in order, for params given as an array. */
  static fromParams(names: readonly string[], params: unknown): Arguments {
    if (params === undefined || params === null) return new Arguments(new Map(), false);
    if (Array.isArray(params)) {
      if (params.length > names.length) {
        throw invalid(
          `expected at most ${names.length} parameters (${names.join(", ")}), got ${params.length}`,
        );
      }
      return new Arguments(new Map(params.map((value, i) => [names[i] ?? "", value])), false);
    }
    if (typeof params !== "object") throw invalid("params must be an object or an array");
    return new Arguments(new Map(Object.entries(params)), false);
  }

  static fromQuery(query: URLSearchParams): Arguments {
    const values = new Map<string, unknown>();
    for (const [name, text] of query) if (text !== "") values.set(name, text);
    return new Arguments(values, true);
  }

  /** A whole number within the safe range, or null when absent. */
  integer(name: string): number | null {
    const value = this.#given(name);
    if (value === null) return null;
    const text = typeof value === "string" ? unquote(value) : value;
    const number = typeof text === "string" && /^-?[0-9]{1,19}$/.test(text) ? Number(text) : text;
    if (typeof number !== "number" || !Number.isSafeInteger(number)) {
      throw invalid(`${name} must be a whole number, as a string or a JSON number`);
    }
    return number;
  }

  /** A 32-byte hash: 0x-hex, hex or base64. */
  hash(name: string): Uint8Array {
    const value = this.#given(name);
    const text = typeof value === "string" ? unquote(value) : "";
    const bytes = /^(0x)?[0-9a-fA-F]{64}$/.test(text)
      ? fromHex(text.slice(-64).toLowerCase())
      : text.length === 44
        ? fromBase64(text)
        : null;
    if (bytes === null) throw invalid(`${name} must be a hash of 32 bytes in hex, 0x-hex or base64`);
    return bytes;
  }

  /** Bytes: base64 in JSON; 0x-hex or a quoted string in a URI. */
  bytes(name: string): Uint8Array {
    const value = this.#given(name);
    if (typeof value !== "string")
      throw invalid(`${name} is missing; give it in base64, or in a URI as 0x-hex`);
    if (/^0x([0-9a-fA-F]{2})*$/.test(value)) return fromHex(value.slice(2).toLowerCase());
    if (this.#fromUri) {
      const text = unquote(value);
      if (text !== value) return utf8Encode(text);
      throw invalid(`${name} must be 0x-hex or a quoted string in a URI`);
    }
    const bytes = fromBase64(value);
    if (bytes === null) throw invalid(`${name} must be base64 or 0x-hex`);
    return bytes;
  }

  /** Any JSON value; in a URI its text. `null` when absent. */
  json(name: string): unknown {
    const value = this.#given(name);
    if (!this.#fromUri || typeof value !== "string") return value;
    try {
      return JSON.parse(value);
    } catch {
      throw invalid(`${name} must be JSON`);
    }
  }

  #given(name: string): unknown {
    return this.#values.get(name) ?? null;
  }
}

/** URIs carry strings in double quotes. */
function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function invalid(what: string): CallError {
  return new CallError(RpcCode.invalidParams, what);
}
