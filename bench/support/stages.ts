import type { Environment } from "./results.ts";

/** One height in the mean, as the nodes' own metrics have it (median of the nodes). */
export interface Stages {
  readonly on: Environment;
  readonly heights: number;
  readonly msPerHeight: number;
  readonly cpuMsPerHeight: number;
  /** One after the other: together they are the height. */
  readonly steps: readonly { readonly name: string; readonly ms: number }[];
  /** Inside the steps, some beside each other. */
  readonly parts: readonly { readonly name: string; readonly times: number; readonly ms: number }[];
}
