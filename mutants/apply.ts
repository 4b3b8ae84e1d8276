/** Putting a mutant into a text; nothing else of the product changes. */
import { stripTypeScriptTypes } from "node:module";
import type { Mutant } from "./types.ts";

/** A mutant that does not fit the sources any more: the list has to follow them. */
export class MutantError extends Error {
  readonly mutant: string;

  constructor(mutant: string, message: string) {
    super(`mutant ${mutant}: ${message}`);
    this.name = "MutantError";
    this.mutant = mutant;
  }
}

/**
 * The file's text with the bug in it.
 * @throws MutantError when the text to replace is not found exactly once, nothing changes, or what comes out is no
 * TypeScript that can be run.
 */
export function mutated(mutant: Mutant, source: string): string {
  const { name, file, find, replace } = mutant;
  const found = find === "" ? 0 : source.split(find).length - 1;
  if (found !== 1) throw new MutantError(name, `its text stands ${found} times in ${file}, not once`);
  if (find === replace) throw new MutantError(name, "it changes nothing");
  const at = source.indexOf(find);
  const text = source.slice(0, at) + replace + source.slice(at + find.length);
  try {
    stripTypeScriptTypes(text);
  } catch (error) {
    throw new MutantError(name, `${file} cannot be run with it: ${String(error)}`);
  }
  return text;
}
