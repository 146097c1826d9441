/** Entry of the parse worker: the text of a big file in, its objects out in slices. It keeps nothing between jobs. */
import { move, transferableSymbol, valueSymbol } from "piscina";
import { type ManifestObject, type ParseJob, parseManifestText } from "../src/manifests/mod.ts";
import type { ParseResult } from "./messages.ts";

/** A few milliseconds of work for who takes it over. */
const SLICE_CHARACTERS = 256 * 1024;

/** Parses one file. Never throws for any text. */
export function parseInThread(job: ParseJob): unknown {
  const { isReadable, rejections, objects } = parseManifestText(job.text, job.file);
  const slices = inSlices(objects).map((slice) => new TextEncoder().encode(JSON.stringify(slice)).buffer);
  const result: ParseResult = { isReadable, rejections: JSON.stringify(rejections), slices };
  return move({ [transferableSymbol]: slices, [valueSymbol]: result });
}

function inSlices(objects: readonly ManifestObject[]): readonly (readonly ManifestObject[])[] {
  const slices: ManifestObject[][] = [];
  let room = 0;
  for (const object of objects) {
    if (room <= 0) {
      slices.push([]);
      room = SLICE_CHARACTERS;
    }
    slices.at(-1)?.push(object);
    room -= object.json.length;
  }
  return slices;
}
