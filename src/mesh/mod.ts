/** The mesh model: records in, snapshots and views out. Pure: no clock, file, socket or thread. */

export { decide } from "./decide.ts";
export type { Decision, DecisionCandidate, DecisionRequest, Outcome } from "./decision.ts";
export { DEFAULT_SETTINGS, MESH_CONFIG_NAME } from "./default-settings.ts";
export { OUTBOUND_SCOPE_ANNOTATION } from "./outbound-scope.ts";
export { provenance, type ViewedResource } from "./provenance.ts";
export { proxyView } from "./proxy-view.ts";
export type {
  EndpointAddress,
  EndpointPort,
  EndpointsRecord,
  HeaderMatch,
  HttpMatch,
  HttpRouteGroupRecord,
  MeshConfigRecord,
  MeshRecord,
  MeshSettings,
  NamespaceRecord,
  PodRecord,
  RouteRule,
  ScopeEntry,
  ServiceAccountName,
  ServiceAccountRecord,
  ServicePort,
  ServiceProtocol,
  ServiceRecord,
  TcpRouteRecord,
  TlsSettings,
  TrafficSplitRecord,
  TrafficTargetRecord,
} from "./records.ts";
export { lacksEndpoint } from "./service-model.ts";
export {
  classOf,
  findClass,
  isIdentityUsed,
  isMeshed,
  type MeshOptions,
  type MeshSnapshot,
  podOfProxy,
} from "./snapshot.ts";
export { type ChangeSet, createMeshStore, type MeshStore } from "./store.ts";
export type {
  AddressMatch,
  EndpointsView,
  Identity,
  InboundChain,
  InboundListenerView,
  InboundRoute,
  InboundRouteView,
  InboundVirtualHost,
  LocalClusterView,
  MetricsClusterView,
  MetricsListenerView,
  NetworkPolicy,
  OutboundChain,
  OutboundListenerView,
  OutboundRouteView,
  OutboundVirtualHost,
  PassthroughClusterView,
  ProxyView,
  ResourceView,
  UpstreamClusterView,
  WeightedCluster,
} from "./view.ts";
export { type ViewChanges, viewChanges } from "./view-changes.ts";
export { type PartRef, type PartStage, partsOf, partView } from "./view-part.ts";
export type { WorkloadClass } from "./workload-class.ts";
export type { RecordChange } from "./world.ts";
