export {
  type Authority,
  AuthorityError,
  type AuthorityPem,
  createAuthorityPem,
  type IssuedCertificate,
  openAuthority,
} from "./authority.ts";
export { openAuthorityFolder } from "./authority-folder.ts";
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
  leafVersion,
} from "./leaf-keeper.ts";
export type { SecretText } from "./secret-text.ts";
