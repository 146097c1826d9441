import { envoy } from "../../proto/gen/resources.js";

/** Asks for a resource on the same aggregated stream as everything else. */
export const FROM_ADS: envoy.config.core.v3.ConfigSource.$Properties = {
  ads: {},
  resourceApiVersion: envoy.config.core.v3.ApiVersion.V3,
};
