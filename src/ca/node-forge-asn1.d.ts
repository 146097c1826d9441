declare module "node-forge/lib/asn1.js" {
  import type forge from "node-forge";

  const asn1: typeof forge.asn1;
  export = asn1;
}
