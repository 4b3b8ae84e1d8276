/** A headless Chromium, driven over the DevTools protocol with what Node has built in. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** `CHROMIUM`, or where Linux distributions install it; null: there is none. */
export function findChromium(): string | null {
  const named = process.env["CHROMIUM"];
  if (named !== undefined && named !== "") return named;
  return PLACES.find((path) => existsSync(path)) ?? null;
}

export interface Page {
  /** Errors, warnings and uncaught exceptions of the page so far. */
  readonly complaints: readonly string[];
  /** Addresses that the page asked for. */
  readonly requests: readonly string[];
  open(url: string): Promise<void>;
  /** Value of an expression in the page; awaited there. It must be plain JSON. */
  evaluate(expression: string): Promise<unknown>;
  /** Resolves once the expression is true; the page looks each frame. */
  until(condition: string): Promise<void>;
  send(method: string, parameters?: object): Promise<Record<string, unknown>>;
  mouse(type: "mouseMoved" | "mousePressed" | "mouseReleased", x: number, y: number): Promise<void>;
  wheel(x: number, y: number, deltaY: number): Promise<void>;
  key(key: string): Promise<void>;
  screenshot(): Promise<Buffer>;
}

export interface Chromium {
  readonly page: Page;
  close(): Promise<void>;
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export async function startChromium(
  executable: string,
  size: { readonly width: number; readonly height: number },
): Promise<Chromium> {
  const profile = await mkdtemp(join(tmpdir(), "quorate-chromium-"));
  const child = spawn(
    executable,
    [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--hide-scrollbars",
      `--window-size=${size.width},${size.height}`,
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  try {
    const browser = await connect(await debuggingAddress(child));
    const { targetInfos } = (await browser.send("Target.getTargets")) as {
      targetInfos: { type: string; targetId: string }[];
    };
    const target = targetInfos.find(({ type }) => type === "page");
    const { sessionId } = (await browser.send("Target.attachToTarget", {
      targetId: target?.targetId,
      flatten: true,
    })) as { sessionId: string };
    const page = await preparePage(browser, sessionId, size);
    return {
      page,
      close: async () => {
        browser.close();
        await end(child);
        await rm(profile, { recursive: true, force: true, maxRetries: 5 });
      },
    };
  } catch (error) {
    await end(child);
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    throw error;
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

/** Chromium tells on stderr where it listens. */
function debuggingAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr?.setEncoding("utf8");
    child.stderr?.on("data", (text: string) => {
      said += text;
      const found = /DevTools listening on (ws:\S+)/.exec(said);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`Chromium ended with ${code}: ${said.slice(-2000)}`)));
  });
}

interface Connection {
  send(method: string, parameters?: object, sessionId?: string): Promise<Record<string, unknown>>;
  listen(listener: (method: string, parameters: Record<string, unknown>) => void): void;
  close(): void;
}

async function connect(address: string): Promise<Connection> {
  const socket = new WebSocket(address);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error(`no connection to ${address}`)));
  });
  let last = 0;
  const waiting = new Map<number, (reply: Reply) => void>();
  const listeners: ((method: string, parameters: Record<string, unknown>) => void)[] = [];
  socket.addEventListener("message", ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply;
    if (reply.id !== undefined) {
      waiting.get(reply.id)?.(reply);
      waiting.delete(reply.id);
    } else if (reply.method !== undefined) {
      for (const listener of listeners) listener(reply.method, reply.params ?? {});
    }
  });
  return {
    send(method, parameters = {}, sessionId) {
      const id = ++last;
      socket.send(
        JSON.stringify({ id, method, params: parameters, ...(sessionId === undefined ? {} : { sessionId }) }),
      );
      return new Promise((resolve, reject) => {
        waiting.set(id, ({ result, error }) => {
          if (error === undefined) resolve(result ?? {});
          else reject(new Error(`${method}: ${error.message}`));
        });
      });
    },
    listen: (listener) => void listeners.push(listener),
    close: () => socket.close(),
  };
}

async function preparePage(
  browser: Connection,
  session: string,
  size: { readonly width: number; readonly height: number },
): Promise<Page> {
  const complaints: string[] = [];
  const requests: string[] = [];
  const send = (method: string, parameters: object = {}): Promise<Record<string, unknown>> =>
    browser.send(method, parameters, session);
  let loaded = Promise.withResolvers<void>();
  browser.listen((method, parameters) => {
    if (method === "Page.loadEventFired") loaded.resolve();
    if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded")
      complaints.push(JSON.stringify(parameters));
    if (method === "Runtime.consoleAPICalled") complaints.push(JSON.stringify(parameters));
    if (method === "Network.requestWillBeSent") {
      requests.push(String((parameters["request"] as { url?: unknown } | undefined)?.url));
    }
  });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await send(`${domain}.enable`);
  await send("Emulation.setDeviceMetricsOverride", { ...size, deviceScaleFactor: 1, mobile: false });
  const evaluate = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = (await send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as { result: { value?: unknown }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  };
  return {
    complaints,
    requests,
    send,
    evaluate,
    open: async (url) => {
      loaded = Promise.withResolvers();
      await send("Page.navigate", { url });
      await loaded.promise;
    },
    until: async (condition) => {
      const outcome = await evaluate(`new Promise((resolve) => {
        const deadline = performance.now() + 20000;
        const look = () => {
          if (${condition}) resolve("true");
          else if (performance.now() > deadline) resolve("still false after 20 s");
          else requestAnimationFrame(look);
        };
        look();
      })`);
      if (outcome !== "true") throw new Error(`${condition}: ${String(outcome)}`);
    },
    mouse: async (type, x, y) => {
      const pressed = type === "mouseMoved" ? {} : { button: "left", clickCount: 1 };
      await send("Input.dispatchMouseEvent", { type, x, y, ...pressed });
    },
    wheel: async (x, y, deltaY) => {
      await send("Input.dispatchMouseEvent", { type: "mouseWheel", x, y, deltaX: 0, deltaY });
    },
    key: async (key) => {
      const text = key.length === 1 ? { text: key } : {};
      await send("Input.dispatchKeyEvent", { type: "keyDown", key, ...text });
      await send("Input.dispatchKeyEvent", { type: "keyUp", key });
    },
    screenshot: async () => {
      const { data } = (await send("Page.captureScreenshot", { format: "png" })) as { data: string };
      return Buffer.from(data, "base64");
    },
  };
}
