import type { MeshSettings } from "./records.ts";

/** Settings of a mesh without a MeshConfig: the defaults of OSM's chart (permissive, egress passed through). */
export const DEFAULT_SETTINGS: MeshSettings = {
  isPermissive: true,
  isEgressEnabled: true,
  tls: { minVersion: "TLSv1_2", maxVersion: "TLSv1_3", cipherSuites: [], ecdhCurves: [] },
  logLevel: "info",
  sidecar: {
    enablePrivilegedInitContainer: false,
    logLevel: "error",
    envoyImage: "envoyproxy/envoy:distroless-v1.40.0",
    initContainerImage: "openservicemesh/init:v1.2.4",
    maxDataPlaneConnections: 0,
    localProxyMode: "Localhost",
  },
  interception: {
    outboundIpRangeExclusions: [],
    outboundIpRangeInclusions: [],
    outboundPortExclusions: [],
    inboundPortExclusions: [],
    networkInterfaceExclusions: [],
  },
  certificate: { keyAlgorithm: "ECDSA", keyBits: 2048, serviceCertValiditySeconds: 24 * 60 * 60 },
  inactiveFields: [],
};

/** Name of the one MeshConfig that counts, in OSM's own namespace. */
export const MESH_CONFIG_NAME = "osm-mesh-config";
