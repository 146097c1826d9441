export type { Parse, ParseJob } from "./file-reader.ts";
export { type ManifestObject, type ParsedFile, parseManifestText } from "./manifest-text.ts";
export { type FolderOptions, type FolderSource, watchFolder } from "./watch-folder.ts";
