import { expect, test } from "vitest";
import { readTimeout } from "./grpc-timeout.ts";

test("a timeout is at most eight digits and a unit, and no other text is one", () => {
  expect(["1H", "2M", "3S", "4m", "5000u", "6000000n", "0S", undefined].map(readTimeout)).toEqual([
    3_600_000,
    120_000,
    3000,
    4,
    5,
    6,
    0,
    Number.POSITIVE_INFINITY,
  ]);
  for (const wrong of ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "1S ", "1SS"]) {
    expect(readTimeout(wrong), wrong).toBeUndefined();
  }
});
