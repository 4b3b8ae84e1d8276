/**
 * Typed access to a parsed JSON document that names the field in every complaint. Reading is strict: an unknown key is
 * refused, since in a genesis file it is a misspelt one.
 */
import { fromHex } from "@quorate/crypto";
import { ChainError } from "../errors.ts";

/** A complaint about one field of genesis: what is wrong and what to write instead. */
export function genesisError(field: string, what: string): ChainError {
  return new ChainError("GENESIS", `genesis: ${field} ${what}`, { field });
}

/** One value of the document with the path that leads to it. */
export class Field {
  readonly path: string;
  readonly value: unknown;

  constructor(path: string, value: unknown) {
    this.path = path;
    this.value = value;
  }

  fail(what: string): never {
    throw genesisError(this.path, what);
  }

  /** The members of an object, of which none may be outside `known`. */
  object(known: readonly string[] | null): ReadonlyMap<string, Field> {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) {
      this.fail("must be an object");
    }
    const members = new Map<string, Field>();
    for (const [key, value] of Object.entries(this.value)) {
      if (known !== null && !known.includes(key)) {
        this.fail(`has the unknown member "${key}"; known members: ${known.join(", ")}`);
      }
      members.set(key, new Field(this.path === "document" ? key : `${this.path}.${key}`, value));
    }
    return members;
  }

  array(): readonly Field[] {
    if (!Array.isArray(this.value)) this.fail("must be an array");
    return this.value.map((value, index) => new Field(`${this.path}[${index}]`, value));
  }

  text(): string {
    if (typeof this.value !== "string") this.fail("must be a string");
    return this.value;
  }

  /** A whole number, written as a JSON number or, as 64-bit integers are, as a decimal string. */
  integer(min: number, max: number): number {
    const value = this.#decimal();
    if (value < BigInt(min) || value > BigInt(max)) {
      this.fail(`is ${value}, but must be from ${min} to ${max}`);
    }
    return Number(value);
  }

  bigint(min: bigint, max: bigint): bigint {
    const value = this.#decimal();
    if (value < min || value > max) this.fail(`is ${value}, but must be from ${min} to ${max}`);
    return value;
  }

  /** `0x` and exactly `length` bytes of hex. */
  hex0x(length: number): Uint8Array {
    const text = this.text();
    if (!/^0x[0-9a-fA-F]*$/.test(text) || text.length !== 2 + 2 * length) {
      this.fail(`must be 0x followed by ${2 * length} hex digits`);
    }
    return fromHex(text.slice(2).toLowerCase());
  }

  /** Hex without prefix, as CometBFT writes hashes and addresses. */
  hex(length: number): Uint8Array {
    const text = this.text();
    if (!/^[0-9a-fA-F]*$/.test(text) || text.length !== 2 * length) {
      this.fail(`must be ${2 * length} hex digits`);
    }
    return fromHex(text.toLowerCase());
  }

  #decimal(): bigint {
    const value = this.value;
    if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value === "string" && /^(0|-?[1-9][0-9]{0,18})$/.test(value)) return BigInt(value);
    return this.fail("must be a whole number, as a decimal string or a JSON number");
  }
}

/** A member that must be there. */
export function required(
  members: ReadonlyMap<string, Field>,
  key: string,
  within: string,
  hint: string,
): Field {
  const field = members.get(key);
  if (field === undefined)
    throw genesisError(within === "" ? key : `${within}.${key}`, `is missing; ${hint}`);
  return field;
}
