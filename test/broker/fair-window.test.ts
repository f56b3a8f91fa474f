import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairWindow } from "../../src/broker/fair-window.ts";

/** Takes and gives back until nobody waits; the order in which it went. */
function drain<Item>(window: FairWindow<string, Item>): Item[] {
  const order: Item[] = [];
  for (let item = window.take(); item !== undefined; item = window.take()) {
    order.push(item);
    window.release();
  }
  return order;
}

describe("a fair window", () => {
  test("F32: serves all who wait in turn, each in its own order, however much one of them wants", () => {
    const wants = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.nat({ max: 8 }));
    fc.assert(
      fc.property(wants, fc.integer({ min: 1, max: 5 }), (counts, size) => {
        const window = new FairWindow<string, string>(size);
        for (const [owner, count] of Object.entries(counts)) {
          for (let n = 0; n < count; n += 1) window.push(owner, `${owner}${n}`);
        }
        const served: Record<string, number> = {};
        for (const item of drain(window)) {
          const owner = item[0] ?? "";
          const before = served[owner] ?? 0;
          expect(item).toBe(`${owner}${before}`);
          // Nobody gets another one as long as somebody who waits has had fewer.
          for (const [other, count] of Object.entries(counts)) {
            const had = served[other] ?? 0;
            if (had < count) expect(had).toBeGreaterThanOrEqual(before);
          }
          served[owner] = before + 1;
        }
        for (const [owner, count] of Object.entries(counts)) expect(served[owner] ?? 0).toBe(count);
      }),
    );
  });

  test("F32: never lets in more than its size, and whoever comes late waits for one round only", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("push" as const), owner: fc.constantFrom("a", "b", "c") }),
      fc.record({ do: fc.constant("take" as const) }),
      fc.record({ do: fc.constant("release" as const) }),
      fc.record({ do: fc.constant("withdraw" as const), owner: fc.constantFrom("a", "b", "c") }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 4 }),
        (steps, size) => {
          const window = new FairWindow<string, object>(size);
          const waiting = new Map<string, object[]>();
          /** How many were served since this owner began to wait. */
          const passedOver = new Map<string, number>();
          let taken = 0;
          for (const each of steps) {
            if (each.do === "push") {
              const item = { owner: each.owner };
              window.push(each.owner, item);
              waiting.set(each.owner, [...(waiting.get(each.owner) ?? []), item]);
              if (!passedOver.has(each.owner)) passedOver.set(each.owner, 0);
            } else if (each.do === "take") {
              const item = window.take() as { owner: string } | undefined;
              const mayServe = taken < size && waiting.size > 0;
              expect(item !== undefined).toBe(mayServe);
              if (item === undefined) continue;
              taken += 1;
              const own = waiting.get(item.owner) ?? [];
              expect(own[0]).toBe(item);
              if (own.length > 1) waiting.set(item.owner, own.slice(1));
              else waiting.delete(item.owner);
              for (const owner of waiting.keys()) {
                passedOver.set(owner, (passedOver.get(owner) ?? 0) + 1);
                expect(passedOver.get(owner)).toBeLessThanOrEqual(3);
              }
              if (waiting.has(item.owner)) passedOver.set(item.owner, 0);
              else passedOver.delete(item.owner);
            } else if (each.do === "release") {
              if (taken === 0) continue;
              window.release();
              taken -= 1;
            } else {
              expect(window.withdraw(each.owner)).toEqual(waiting.get(each.owner) ?? []);
              waiting.delete(each.owner);
              passedOver.delete(each.owner);
            }
            expect(window.taken).toBe(taken);
            expect(window.waiting).toBe([...waiting.values()].flat().length);
            for (const owner of ["a", "b", "c"]) {
              expect(window.waitingOf(owner)).toBe(waiting.get(owner)?.length ?? 0);
            }
          }
          const left = [...waiting.values()].flat();
          expect(new Set(window.withdrawAll())).toEqual(new Set(left));
          expect(window.waiting).toBe(0);
        },
      ),
    );
  });
});
