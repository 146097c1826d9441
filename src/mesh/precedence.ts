import type { MeshRecord } from "./records.ts";

type Claimant = Pick<MeshRecord, "createdAt" | "ref">;

/** Order in which objects that claim one thing stand: the older first, then by namespace and name. */
export function comparePrecedence(left: Claimant, right: Claimant): number {
  if (left.createdAt !== right.createdAt) return left.createdAt - right.createdAt;
  return compareText(left.ref.namespace, right.ref.namespace) || compareText(left.ref.name, right.ref.name);
}

/** Order by code units, the same on every machine. */
export function compareText(left: string, right: string): number {
  return left === right ? 0 : left < right ? -1 : 1;
}
