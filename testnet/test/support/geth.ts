import { buildGeth, findGeth } from "../../../packages/execution/src/index.ts";

/** Geth where it can be had: found, or built once where Go is. */
export async function provideGeth(): Promise<{ readonly path: string } | { readonly absent: string }> {
  const found = await findGeth(process.env);
  if (found !== null) return found;
  try {
    const progress = (line: string): void => console.error(line);
    return await buildGeth({ env: process.env, progress, signal: AbortSignal.timeout(600_000) });
  } catch (error) {
    return { absent: error instanceof Error ? error.message : String(error) };
  }
}
