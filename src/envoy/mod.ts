export { type GeneratedResource, generate } from "./generate.ts";
export { RESOURCE_TYPE_URLS, SECRETS } from "./names.ts";
export { encodeServiceCertificate, encodeTrustBundle, type ServiceCertificate, type TrustBundle } from "./secrets.ts";
