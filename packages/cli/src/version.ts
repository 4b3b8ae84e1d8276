import { readFileSync } from "node:fs";

/** Version of this package, as its package.json says. */
export function packageVersion(): string {
  const document: { version: string } = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  );
  return document.version;
}
