/**
 * Completes the install of this clone, or says what is missing. Plain JavaScript for any Node >= 20: it runs before the
 * pinned Node is there. Usage: `setup.mjs install-running | install-complete | check-running | check-complete`.
 *
 * What is installed is judged by npm's own record (`node_modules/.package-lock.json`) against `package-lock.json`, so an
 * install by `npm ci` counts as much as one by this script.
 */
import { spawn } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const LOCK = join(ROOT, ".cache", "setup.lock");
const LOCK_BEAT_MS = 1000;
const LOCK_STALE_MS = 15_000;
const PROGRESS_MS = 10_000;

const say = (text) => process.stderr.write(`${text}\n`);

function fail(text, code) {
  say(text);
  process.exit(code);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), "utf8"));
  } catch {
    return null;
  }
}

/** Does npm install this lockfile entry here? */
function fitsPlatform(entry) {
  const fits = (list, value) => list === undefined || [list].flat().includes(value);
  return fits(entry.os, process.platform) && fits(entry.cpu, process.arch);
}

/** Names of packages that the lockfile demands and node_modules lacks. */
export function missing(complete) {
  const wanted = readJson("package-lock.json");
  if (wanted === null)
    fail("package-lock.json is missing or unreadable: restore it with `git checkout package-lock.json`", 3);
  const installed = readJson("node_modules/.package-lock.json")?.packages ?? {};
  const absent = [];
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (!path.includes("node_modules/")) continue;
    if (!complete && (entry.dev || entry.devOptional)) continue;
    // Optional packages are those of other platforms and of tools that say so themselves; the runtime is not one.
    const runtime = path.startsWith("node_modules/node-");
    if (entry.optional && !(runtime && fitsPlatform(entry))) continue;
    const found = installed[path];
    const same =
      found !== undefined &&
      (entry.link
        ? found.resolved === entry.resolved
        : found.version === entry.version && found.integrity === entry.integrity);
    if (!same || !existsSync(join(ROOT, path))) absent.push(path);
  }
  return absent;
}

/**
 * One set-up at a time per clone: a lock file holding a pid, touched once a second. A dead or silent holder's is taken
 * over by renaming it away; a rename that caught a live successor's lock puts it back.
 */
async function withLock(work) {
  mkdirSync(dirname(LOCK), { recursive: true });
  let waiting = false;
  for (;;) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = lockHolder();
    if (holder?.stale) takeOver(holder);
    else if (holder !== null) {
      if (!waiting) say(`another set-up of this clone is at work (pid ${holder.pid}): waiting for it`);
      waiting = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimesSync(LOCK, now, now);
  }, LOCK_BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    rmSync(LOCK, { force: true });
  }
}

function lockHolder() {
  try {
    const content = readFileSync(LOCK, "utf8");
    const silentMs = Date.now() - statSync(LOCK).mtimeMs;
    return {
      content,
      pid: Number(content),
      stale: silentMs > LOCK_STALE_MS || (content !== "" && !alive(Number(content))),
    };
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function takeOver(holder) {
  const aside = `${LOCK}.${process.pid}`;
  try {
    renameSync(LOCK, aside);
    if (readFileSync(aside, "utf8") !== holder.content) linkSync(aside, LOCK);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

let interrupted = false;

/** Resolves with npm's exit code; its output goes to stderr, which leaves stdout to the program. */
function npm(args) {
  const script = process.env.npm_execpath;
  const direct = script !== undefined && /\.c?js$/.test(script);
  const child = direct
    ? spawn(process.execPath, [script, ...args], { cwd: ROOT, stdio: ["ignore", 2, 2] })
    : spawn("npm", args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      interrupted = true;
      child.kill("SIGTERM");
    });
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(signal === null ? code : 143));
  });
}

async function install(complete) {
  if (missing(complete).length === 0) return;
  const code = await withLock(async () => {
    const absent = missing(complete);
    if (absent.length === 0) return 0;
    const what = complete ? "everything, tests included" : "what running needs";
    say(
      `set-up: installing ${what} (npm ci, exactly as package-lock.json says; ${absent.length} packages missing) …`,
    );
    const started = Date.now();
    // No package's install script is needed: the native modules (classic-level, secp256k1) carry prebuilt binaries, and
    // the pinned Node is a plain package. So none is run.
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    const progress = setInterval(() => {
      say(`set-up: still installing (${Math.round((Date.now() - started) / 1000)} s) …`);
    }, PROGRESS_MS);
    const result = await npm([...args, complete ? "--include=dev" : "--omit=dev"]);
    clearInterval(progress);
    if (interrupted) {
      say("set-up: interrupted; the next run completes it");
      return 143;
    }
    if (result !== 0) {
      say(
        `set-up: npm ci failed (exit ${result}); its message stands above. Check the network and the registry`,
      );
      return 1;
    }
    const still = missing(complete);
    if (still.length > 0) {
      say(
        `set-up: npm ci left out ${still.slice(0, 5).join(", ")}: remove node_modules and run this command again`,
      );
      return 1;
    }
    say(`set-up: installed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return 0;
  });
  if (code !== 0) process.exit(code);
}

function check(complete) {
  const absent = missing(complete);
  if (absent.length === 0) return;
  if (missing(false).length === 0) {
    fail("this clone holds only what running needs: `npm test` or `npm ci` installs the rest", 2);
  }
  const complement = complete ? "`npm test` or `npm ci`" : "`npm run testnet` or `npm ci`";
  fail(`this clone is not installed (${absent.length} packages missing): ${complement} installs it`, 2);
}

/** Linux gets its Node with the install; elsewhere the machine's own must be new enough. */
function checkRuntime() {
  if (existsSync(join(ROOT, "node_modules", ".bin", "node"))) return;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 12)) return;
  fail(
    `Node.js ${process.versions.node} is too old here: no pinned Node.js exists for ${process.platform}-${process.arch}, so install Node.js 24.12 or newer`,
    2,
  );
}

if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Node.js ${process.versions.node} is too old: install Node.js 20 or newer`, 2);
}
const action = process.argv[2];
if (action === "install-running" || action === "install-complete")
  await install(action === "install-complete");
else if (action === "check-running" || action === "check-complete") check(action === "check-complete");
else fail(`setup.mjs: unknown action '${action}'`, 2);
checkRuntime();
