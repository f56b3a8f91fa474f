import { expect, test } from "vitest";
import { AGES_MS, NO_FIGURES, noFiguresOf, type Figures } from "../../../src/base/figures.ts";
import { Output } from "../../../src/cli/output/output.ts";
import { statsLines } from "../../../src/cli/workspace/stats-view.ts";

const plain = new Output(() => process.stdout);
const HOUR_MS = 3_600_000;

const total: Figures = {
  epochs: 12,
  sessions: 340,
  turnsStarted: 1_234,
  ages: [
    { ...noFiguresOf(0), completed: 1_000, failed: { usageLimitExceeded: 3 }, peakRssBytes: 2e8 },
    { ...noFiguresOf(HOUR_MS), completed: 90, lost: 4, failed: { "httpConnectionFailed 502": 6 } },
    { ...noFiguresOf(6 * HOUR_MS), interrupted: 7, failed: { usageLimitExceeded: 1 } },
  ],
  peaks: {
    rssBytes: 4.5e8,
    brokerRssBytes: 6e7,
    descriptors: 1_052,
    brokerDescriptors: 30,
    descendants: 9,
  },
  firstAnswerMs: 4_812,
};

test("S13: shows at what age turns fail, of what, and where most is used", () => {
  const scopes = [{ scope: "k", workspace: "/home/me/work", figures: total }];
  const lines = [...statsLines({ stateDir: "/s", total, scopes, silent: 1 }, plain)];
  expect(lines).toEqual([
    "1,234 turns  12 brokers · 340 sessions",
    "",
    "  age of the broker  completed  interrupted  failed  lost  went wrong  memory",
    "  under 5 min        1,000      ·            3       ·     0.3 %       200 MB",
    "  1–2 h              90         ·            6       4     10 %        –",
    "  6–12 h             ·          7            1       ·     13 %        –",
    "",
    "  failed because of           turns  at the age of",
    "  http connection failed 502  6      1–2 h",
    "  usage limit exceeded        4      under 5 min, 6–12 h",
    "",
    "  workspace      brokers  turns  failed  lost  memory  descriptors  descendants  slowest start",
    "  /home/me/work  12       1,234  10      4     450 MB  1,052        9            4.8 s",
    "  left out: 1 broker that did not answer",
  ]);
});

test("names each age so that it reads", () => {
  const ages = AGES_MS.map((fromMs) => ({ ...noFiguresOf(fromMs), completed: 1 }));
  const shown = { ...NO_FIGURES, epochs: 1, ages };
  const lines = [...statsLines({ stateDir: "", total: shown, scopes: [], silent: 0 }, plain)];
  const names = lines.slice(3, 3 + ages.length).map((line) => line.trim().split(/\s{2,}/)[0]);
  expect(names).toEqual([
    "under 5 min",
    "5–15 min",
    "15 min–1 h",
    "1–2 h",
    "2–4 h",
    "4–6 h",
    "6–12 h",
    "12 h–1 d",
    "1–3 d",
    "from 3 d",
  ]);
});

test("hides nothing of a terminal's in the name of a workspace", () => {
  const scopes = [{ scope: "k", workspace: "/a\u001b[2Jb", figures: total }];
  const lines = [...statsLines({ stateDir: "", total, scopes, silent: 0 }, plain)];
  expect(lines.join("\n")).not.toContain("\u001b");
});
