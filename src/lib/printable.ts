/**
 * `text` on one line of a terminal: control characters, which could move its cursor or forge lines, are spelled out. What people
 * write into manifests, and what proxies and programs answer, is theirs.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    const spelled = JSON.stringify(character).slice(1, -1);
    return spelled === character ? `\\u${character.codePointAt(0)?.toString(16).padStart(4, "0") ?? ""}` : spelled;
  });
}
