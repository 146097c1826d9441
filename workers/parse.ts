/** Entry of the parse worker: the text of a big file in, its objects out as text. It keeps nothing between jobs. */
import { type ParsedFile, type ParseJob, parseManifestText } from "../src/manifests/mod.ts";

/** Parses one file. Never throws for any text. */
export function parseInThread(job: ParseJob): ParsedFile {
  return parseManifestText(job.text, job.file);
}
