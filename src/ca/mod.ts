export {
  type Authority,
  AuthorityError,
  type AuthorityPem,
  createAuthorityPem,
  type IssuedCertificate,
  openAuthority,
} from "./authority.ts";
export { openAuthorityFolder, readLastRotation, writeLastRotation } from "./authority-folder.ts";
export {
  type CertificateNames,
  controllerNames,
  parseSidecarName,
  type SidecarIdentity,
  serviceNames,
  sidecarNames,
  type WorkloadIdentity,
} from "./certificate-names.ts";
export {
  createLeafKeeper,
  type Leaf,
  type LeafKeeper,
  type LeafKeeperOptions,
  type LeafPolicy,
} from "./leaf-keeper.ts";
export { createLeafVersions, type LeafFacts, type LeafVersions, VERSION_KEY } from "./leaf-version.ts";
export type { SecretText } from "./secret-text.ts";
export { TICKET_EPOCH_MS, ticketEpochAt, ticketKeysOf } from "./ticket-keys.ts";
