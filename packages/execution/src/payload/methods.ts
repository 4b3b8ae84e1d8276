/** Engine API methods of one fork. */
export interface EngineMethods {
  readonly forkchoiceUpdated: "engine_forkchoiceUpdatedV3";
  readonly getPayload: "engine_getPayloadV4" | "engine_getPayloadV5";
  readonly newPayload: "engine_newPayloadV4";
}

const PRAGUE: EngineMethods = {
  forkchoiceUpdated: "engine_forkchoiceUpdatedV3",
  getPayload: "engine_getPayloadV4",
  newPayload: "engine_newPayloadV4",
};
const OSAKA: EngineMethods = { ...PRAGUE, getPayload: "engine_getPayloadV5" };

/**
 * The method set of a payload (execution-apis prague.md, osaka.md): a pure function of its timestamp. Prague is active
 * from genesis on.
 * @param timestamp seconds, of the payload
 * @param forkOsaka seconds, param `fork.osaka`
 */
export function engineMethods(timestamp: number, forkOsaka: number): EngineMethods {
  return timestamp >= forkOsaka ? OSAKA : PRAGUE;
}

/** Methods a client must offer for payloads from `timestamp` on. */
export function requiredMethods(timestamp: number, forkOsaka: number): readonly string[] {
  const methods = engineMethods(timestamp, forkOsaka);
  return [methods.forkchoiceUpdated, methods.getPayload, methods.newPayload];
}
