import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { renderTracePage } from "../../src/trace-page/render.ts";
import { type Chromium, findChromium, type Page, startChromium } from "./chromium.ts";
import { madeUpRun } from "./made-up-run.ts";

const executable = findChromium();
const skip =
  executable === null
    ? "no Chromium on this machine: install Debian's chromium or set CHROMIUM to one; the page was not looked at"
    : false;

/** A copy to read from: reading the page's own canvas back would slow it down, of which Chromium warns. */
const COPY = `(canvas) => {
  const pen = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  return pen;
}`;

describe("the trace page in a browser", { skip }, () => {
  let browser: Chromium;
  let page: Page;
  let directory: string;
  const run = madeUpRun({ violation: true });

  const show = async (html: string): Promise<void> => {
    const file = join(directory, "trace.html");
    await writeFile(file, html);
    await page.open(pathToFileURL(file).href);
    await page.until("document.documentElement.dataset.ready === 'yes'");
  };
  const text = async (selector: string): Promise<string> =>
    String(await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`));
  const count = async (pattern: RegExp): Promise<number> => {
    const status = await text("#status");
    const found = pattern.exec(status)?.[1];
    assert.ok(found !== undefined, status);
    return Number(found.replace(/\D/g, ""));
  };
  const messagesShown = (): Promise<number> => count(/· ([\d\u202f]+) of/);
  const box = async (selector: string): Promise<{ x: number; y: number; width: number; height: number }> => {
    const rect = `document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect()`;
    return (await page.evaluate(`(({x, y, width, height}) => ({x, y, width, height}))(${rect})`)) as never;
  };
  const click = async (x: number, y: number): Promise<void> => {
    await page.mouse("mouseMoved", x, y);
    await page.mouse("mousePressed", x, y);
    await page.mouse("mouseReleased", x, y);
  };
  /** ms shown, as the status line has them. */
  const shown = async (): Promise<{ from: number; until: number }> => {
    const [, from, until] = /^([\d.]+) s to ([\d.]+) s/.exec(await text("#status")) ?? [];
    return { from: Number(from) * 1000, until: Number(until) * 1000 };
  };
  const painted = (): Promise<unknown> =>
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "quorate-trace-page-"));
    browser = await startChromium(executable ?? "", { width: 1400, height: 860 });
    page = browser.page;
    await show(renderTracePage(run.header, run.events));
  });

  after(async () => {
    await browser?.close();
    await rm(directory, { recursive: true, force: true });
  });

  test("opens from a file without asking for anything else, and without a complaint", async () => {
    assert.deepEqual(page.complaints, []);
    assert.deepEqual(
      page.requests.filter((url) => !url.startsWith("file:")),
      [],
    );
    assert.match(await text("#summary"), /^4 validators decided 10 heights/);
    assert.match(await text("h1"), /a law was broken/);
  });

  test("opens where a law was first broken", async () => {
    assert.match(await text("#details h2"), /^Law broken: agreement/);
    const { from, until } = await shown();
    const at = run.events.find(({ kind }) => kind === "violation")?.t ?? 0;
    assert.ok(from < at && at < until && until - from < 3000, `${from} to ${until}`);
    await page.key("Escape");
    await page.key("0");
    await painted();
  });

  test("draws: the diagram holds the colours of steps, decisions and lost messages", async () => {
    const missing = await page.evaluate(`(() => {
      const canvas = document.querySelector("#diagram");
      const pixels = (${COPY})(canvas).getImageData(0, 0, canvas.width, canvas.height).data;
      const style = getComputedStyle(document.documentElement);
      const near = (name) => {
        const hex = style.getPropertyValue(name).trim();
        const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
        for (let i = 0; i < pixels.length; i += 4) {
          if (Math.abs(pixels[i] - r) + Math.abs(pixels[i + 1] - g) + Math.abs(pixels[i + 2] - b) < 30) return true;
        }
        return false;
      };
      return ["--decided", "--lost", "--kind-prevote", "--kind-precommit", "--violation", "--round"].filter((name) => !near(name));
    })()`);
    assert.deepEqual(missing, []);
  });

  test("the wheel zooms at the pointer, and the status line says what is shown", async () => {
    const all = await messagesShown();
    const { x, y, width, height } = await box("#diagram");
    await page.wheel(x + width * 0.6, y + height * 0.5, -600);
    await page.until("!/^0\\\\.000 s/.test(document.querySelector('#status').textContent)");
    const view = await shown();
    assert.ok(view.from > 500 && view.until - view.from < 5000, JSON.stringify(view));
    assert.ok((await messagesShown()) < all);
    await page.key("0");
    await painted();
    assert.equal(await messagesShown(), all);
  });

  test("dragging moves the view, and the strip below moves it anywhere", async () => {
    const { x, y, width, height } = await box("#diagram");
    for (let i = 0; i < 4; i++) await page.key("+");
    await painted();
    const before = await shown();
    await page.mouse("mouseMoved", x + 500, y + height - 20);
    await page.mouse("mousePressed", x + 500, y + height - 20);
    await page.mouse("mouseMoved", x + 400, y + height - 20);
    await page.mouse("mouseReleased", x + 400, y + height - 20);
    await painted();
    const dragged = await shown();
    assert.ok(dragged.from > before.from + 5, `${before.from} -> ${dragged.from}`);
    const strip = await box("#minimap");
    await click(strip.x + width - 60, strip.y + 20);
    await painted();
    assert.ok((await shown()).from > dragged.from + 500);
    await page.key("0");
    await painted();
  });

  test("a filter hides what it names and nothing else", async () => {
    const all = await messagesShown();
    await page.evaluate("document.querySelector('#kind-prevote').click()");
    await painted();
    const prevotes = run.events.filter((e) => e.kind === "send" && e.what.startsWith("prevote")).length;
    assert.equal(await messagesShown(), all - prevotes);
    await page.evaluate("document.querySelector('#only-lost').click()");
    await painted();
    const lost = await messagesShown();
    assert.ok(lost > 0 && lost < all - prevotes);
    await page.evaluate("document.querySelector('#reset').click()");
    await painted();
    assert.equal(await messagesShown(), all);
  });

  test("hiding a node hides its lane and its messages", async () => {
    const all = await messagesShown();
    await page.evaluate("document.querySelectorAll('#nodes input')[0].click()");
    await painted();
    assert.equal(await text("#nodes-title"), "Nodes 3/4");
    assert.ok((await messagesShown()) < all);
    await page.evaluate("document.querySelector('#reset').click()");
    await painted();
    assert.equal(await text("#nodes-title"), "Nodes 4/4");
  });

  test("a height of the list brings it into view, with who signed what in each round", async () => {
    await page.evaluate("document.querySelector('#story [data-height=\"4\"] button').click()");
    await painted();
    const { from, until } = await shown();
    assert.ok(from > 0 && until < 4200, `${from} to ${until}`);
    assert.match(await text("#details h2"), /^Height 4$/);
    const table = await text("#details table");
    assert.match(table, /round 0 prevote.*round 1 prevote.*decided/s);
    assert.equal(Number(await page.evaluate("document.querySelectorAll('#details .nil').length")), 7);
  });

  test("pointing at a message says what it is, whence, whither and how long it took; a click keeps that", async () => {
    const { x, y, width, height } = await box("#diagram");
    const spot = await page.evaluate(`(async () => {
      const canvas = document.querySelector("#diagram");
      const tooltip = document.querySelector("#tooltip");
      for (let py = ${y + height * 0.35}; py < ${y + height * 0.8}; py += 9) {
        for (let px = ${x + 160}; px < ${x + width - 20}; px += 4) {
          canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: px, clientY: py, bubbles: true }));
          if (!tooltip.hidden && /^(proposal|prevote|precommit) /.test(tooltip.textContent)) return [px, py];
        }
      }
      return null;
    })()`);
    assert.ok(Array.isArray(spot), "no message was found under any point");
    const [px, py] = spot as [number, number];
    await page.mouse("mouseMoved", px, py);
    await painted();
    assert.match(await text("#tooltip"), /from.*node\d.*to.*node\d.*sent.*arrived.*size/s);
    await click(px, py);
    await painted();
    assert.match(await text("#details h2"), /^(proposal|prevote|precommit) \d+\/\d+ /);
    await page.key("Escape");
    await painted();
    assert.equal(await page.evaluate("document.querySelector('#details').hidden"), true);
  });

  test("keys jump to the violation, to heights of more rounds, and to the next height", async () => {
    await page.key("v");
    await painted();
    assert.match(await text("#details h2"), /^Law broken: agreement/);
    await page.key("Escape");
    await page.key("0");
    await page.key("r");
    await painted();
    assert.equal(await text("#details h2"), "Height 4");
    await page.key("r");
    await painted();
    assert.equal(await text("#details h2"), "Height 7");
    await page.key("n");
    await painted();
    assert.equal(await text("#details h2"), "Height 8");
    await page.key("Escape");
    await page.key("0");
    await painted();
  });

  test("what is typed into find stays there, letters that are keys included", async () => {
    await page.key("/");
    await painted();
    assert.equal(await page.evaluate("document.activeElement.id"), "find");
    for (const letter of "nil0") await page.key(letter);
    assert.equal(await page.evaluate("document.querySelector('#find').value"), "nil0");
    await page.evaluate(
      "(() => { const find = document.querySelector('#find'); find.value = ''; find.dispatchEvent(new Event('input')); find.blur(); })()",
    );
  });

  test("the theme changes the colours of the canvas too", async () => {
    const corner = `[...(${COPY})(document.querySelector("#diagram")).getImageData(4, 4, 1, 1).data].slice(0, 3).join()`;
    const dark = "document.documentElement.dataset.theme === 'dark'";
    for (let i = 0; i < 3 && (await page.evaluate(dark)) === false; i++) {
      await page.evaluate("document.querySelector('#theme').click()");
    }
    await painted();
    assert.equal(await page.evaluate(corner), "27,31,36");
    await page.evaluate("document.querySelector('#theme').click()");
    for (let i = 0; i < 3 && (await page.evaluate(dark)) === true; i++) {
      await page.evaluate("document.querySelector('#theme').click()");
    }
    await painted();
    assert.equal(await page.evaluate(corner), "255,255,255");
  });

  test("two hundred thousand events open, zoom and answer the pointer without a long pause", async () => {
    const big = madeUpRun({ heights: 900, validators: 7, chatter: 4 });
    assert.ok(big.events.length > 200_000, String(big.events.length));
    await show(renderTracePage(big.header, big.events));
    const { x, y, width, height } = await box("#diagram");
    const slowest = await page.evaluate(`(async () => {
      const canvas = document.querySelector("#diagram");
      const frame = () => new Promise((done) => requestAnimationFrame(done));
      let slowest = 0;
      for (let i = 0; i < 40; i++) {
        const at = { clientX: ${x + width / 2} + i, clientY: ${y + height / 2}, bubbles: true, cancelable: true };
        const began = performance.now();
        canvas.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: i < 30 ? -250 : 700 }));
        canvas.dispatchEvent(new PointerEvent("pointermove", at));
        await frame();
        slowest = Math.max(slowest, performance.now() - began);
      }
      return slowest;
    })()`);
    // Some 100 ms, and what others take of the machine.
    assert.ok(Number(slowest) < 10_000, `a frame took ${String(slowest)} ms`);
    assert.match(await text("#status"), /drawn: zoom in|messages$/);
    assert.deepEqual(page.complaints, []);
  });
});
