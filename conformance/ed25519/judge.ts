import { ed25519PublicKey, ed25519Sign, ed25519Signer } from "@quorate/crypto";
import { equal, fail } from "../case.ts";
import { toHex } from "../model/values.ts";
import type { ExpectedVerdicts, SignatureCase } from "./files.ts";
import type { VerifierPath } from "./paths.ts";
import { openssl, reference } from "./reference.ts";
import { strictVerdicts } from "./zip215.ts";

/**
 * Judges vectors on every path at once, since a path may take them as a group. Answers per vector what is wrong with it,
 * or null.
 */
export async function judgeSignatures(
  cases: readonly SignatureCase[],
  paths: readonly VerifierPath[],
  expected: ExpectedVerdicts,
): Promise<(string | null)[]> {
  const faults: (string | null)[] = cases.map(() => null);
  const verdicts: boolean[] = [];
  for (const [i, each] of cases.entries()) {
    try {
      verdicts.push(reference(each.check));
      judgeStatements(each, verdicts[i]!, expected);
    } catch (error) {
      verdicts[i] ??= false;
      faults[i] = error instanceof Error ? error.message : String(error);
    }
  }
  const checks = cases.map(({ check }) => check);
  for (const { name, verify } of paths) {
    const answers = await verify(checks);
    for (const [i, verdict] of verdicts.entries()) {
      if (answers[i] === verdict) continue;
      faults[i] ??=
        `${name}: ${answers[i] ? "accepted" : "refused"}, ZIP-215 ${verdict ? "accepts" : "refuses"}`;
    }
  }
  return faults;
}

/** Everything that the vector states beside its bytes, against the formulas. */
function judgeStatements(of: SignatureCase, verdict: boolean, expected: ExpectedVerdicts): void {
  const said = (what: string, statement: boolean | null | undefined): void => {
    if (statement === null || statement === undefined || statement === verdict) return;
    fail(
      `${what} says ${statement ? "valid" : "invalid"}, ZIP-215's formulas ${verdict ? "valid" : "invalid"}`,
    );
  };
  said("the vector", of.zip215);
  if (of.speccheck !== null) {
    said("the file of expected verdicts", expected.speccheck.get(of.speccheck));
    const platform = expected.openssl.get(of.speccheck);
    // Later versions of OpenSSL may refuse more; what one accepts must hold by ZIP-215.
    if (platform === true && !verdict)
      fail("OpenSSL's stated verdict is valid, ZIP-215's formulas say invalid");
  }
  if (of.test !== null) said("the file of expected verdicts", expected.wycheproof.get(of.test));
  if (of.strict !== null) {
    const { cofactored, cofactorless } = strictVerdicts(of.check);
    if (of.strict !== cofactored && of.strict !== cofactorless) {
      fail(`the vector says ${of.strict ? "valid" : "invalid"} by RFC 8032, the formulas the opposite`);
    }
  }
  if (openssl(of.check) && !verdict) fail("OpenSSL accepts what ZIP-215 refuses");
  if (of.seed === null) return;
  equal(toHex(ed25519PublicKey(of.seed)), toHex(of.check.publicKey), "public key of the seed");
  const signature = toHex(of.check.signature);
  equal(toHex(ed25519Sign(of.seed, of.check.message)), signature, "signature");
  equal(toHex(ed25519Signer(of.seed).sign(of.check.message)), signature, "signature of a signer");
}
