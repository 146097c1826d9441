/**
 * Whether several sockets of this process that listen on one port take connections faster than one. Elsewhere than on Linux the
 * system does not deal connections out among them; on Deno it does, and they are taken no faster.
 */
export const gainsBySharedPorts: boolean = process.platform === "linux" && !("Deno" in globalThis);
