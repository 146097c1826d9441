/**
 * A CA in a folder: `ca.crt` and `private.key`, the keys of OSM's CA secret, and `last-rotation`, the time when all leaves were
 * replaced at once.
 */
import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { contentHash, printable } from "../lib/mod.ts";
import { makeFolder } from "../platform/mod.ts";
import type { Authority } from "./authority.ts";
import { AuthorityError, createAuthorityPem, openAuthority } from "./authority.ts";
import { SecretText } from "./secret-text.ts";

/**
 * Opens the CA in `dir`, or makes one when the folder holds neither file. Several processes may do so at once: all get the
 * same CA. Throws {@link AuthorityError} when what is there cannot be used.
 *
 * A new key is on disk, under a name that follows from its certificate, before `ca.crt` appears; the link that makes
 * `ca.crt` appear succeeds for one process only and so decides whose CA it is. Whoever reads a `ca.crt` without
 * `private.key` can finish the work, so a crash at any moment leaves a whole CA or none.
 */
export async function openAuthorityFolder(dir: string, nowMs: number): Promise<Authority> {
  const certificatePath = join(dir, "ca.crt");
  const keyPath = join(dir, "private.key");
  const names = { certificate: certificatePath, key: keyPath };
  await attempt("create", dir, async () => makeFolder(dir, 0o700));
  let certificatePem = await readIfThere(certificatePath);
  if (certificatePem === undefined) {
    if ((await readIfThere(keyPath)) !== undefined) {
      throw new AuthorityError(
        `"${dir}" has a private.key but no ca.crt: put the CA's certificate beside its key, or name an empty folder to have a CA made`,
      );
    }
    await attempt("create a CA in", dir, () => createIn(dir, nowMs));
    certificatePem = (await readIfThere(certificatePath)) ?? "";
  }
  const privateKeyPem = (await readIfThere(keyPath)) ?? (await finish(dir, certificatePem, keyPath));
  if (privateKeyPem === undefined) {
    throw new AuthorityError(
      `"${dir}" has a ca.crt but no private.key: put the CA's key beside its certificate, or name an empty folder to have a CA made`,
    );
  }
  return openAuthority({ certificatePem, privateKeyPem: new SecretText(privateKeyPem) }, nowMs, names);
}

/** Characters of a file's wrong content that a message shows. */
const SHOWN_MAX = 40;

/** When its leaves were last rotated (ms since the epoch); minus infinity for never. Throws {@link AuthorityError}. */
export async function readLastRotation(dir: string): Promise<number> {
  const path = join(dir, "last-rotation");
  const text = (await readIfThere(path))?.trim();
  if (text === undefined) return Number.NEGATIVE_INFINITY;
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) {
    throw new AuthorityError(
      `"${path}" holds "${printable(text.slice(0, SHOWN_MAX))}", and not a time such as "2026-03-01T12:00:00.000Z": write the time of the last rotation there, or delete the file if proxies may keep what they hold`,
    );
  }
  return atMs;
}

/**
 * Whoever opens the CA from now on knows that leaves issued until `atMs` are to be replaced. A crash at any moment leaves the
 * earlier time or this one. Throws {@link AuthorityError}.
 */
export async function writeLastRotation(dir: string, atMs: number): Promise<void> {
  const path = join(dir, "last-rotation");
  const staged = join(dir, `.last-rotation.${randomUUID()}`);
  try {
    await attempt("write", path, async () => {
      await writeNew(staged, `${new Date(atMs).toISOString()}\n`, 0o644);
      await rename(staged, path);
    });
  } finally {
    // Where nothing can be written, nothing can be removed either; the first failure is the one to tell.
    await rm(staged, { force: true }).catch(() => undefined);
  }
}

async function createIn(dir: string, nowMs: number): Promise<void> {
  const pem = await createAuthorityPem(nowMs);
  const stagedKey = join(dir, stagedKeyName(pem.certificatePem));
  const stagedCertificate = join(dir, `.ca.crt.${randomUUID()}`);
  try {
    await writeNew(stagedKey, pem.privateKeyPem.reveal(), 0o600);
    await writeNew(stagedCertificate, pem.certificatePem, 0o644);
    await link(stagedCertificate, join(dir, "ca.crt"));
  } catch (error) {
    await rm(stagedKey, { force: true });
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    await rm(stagedCertificate, { force: true });
  }
}

/** Puts the staged key of `certificatePem` in its place; undefined when there is none. */
async function finish(dir: string, certificatePem: string, keyPath: string): Promise<string | undefined> {
  try {
    await rename(join(dir, stagedKeyName(certificatePem)), keyPath);
  } catch (error) {
    // Another process may have finished it in the meantime.
    if (codeOf(error) !== "ENOENT") throw unusable("complete the CA in", dir, error);
  }
  return await readIfThere(keyPath);
}

function stagedKeyName(certificatePem: string): string {
  return `.private.key.${contentHash(certificatePem)}`;
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, "wx", mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw unusable("read", path, error);
  }
}

async function attempt(what: string, path: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw unusable(what, path, error);
  }
}

function unusable(what: string, path: string, cause: unknown): AuthorityError {
  return new AuthorityError(`Cannot ${what} "${path}": ${codeOf(cause) ?? "unexpected failure"}`, { cause });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
