import { fillTemplate, type Subject } from "./credentials.ts";
import type { ProxySpec } from "./fleet-api.ts";

/** What each proxy says of itself, with templates. */
export interface NodeTemplates {
  readonly nodeId: string;
  readonly cluster: string;
  /** JSON with templates in its texts. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Fills in the templates. Throws `TemplateError` for a name that no subject has. */
export function nodeOf(templates: NodeTemplates, subject: Subject): Pick<ProxySpec, "nodeId" | "cluster" | "metadata"> {
  const { nodeId, cluster, metadata } = templates;
  return {
    nodeId: fillTemplate(nodeId, subject),
    cluster: fillTemplate(cluster, subject),
    ...(metadata === undefined ? {} : { metadata: filled(metadata, subject) as Record<string, unknown> }),
  };
}

/** Fills in the templates in every text of a JSON value. */
function filled(value: unknown, subject: Subject): unknown {
  if (typeof value === "string") return fillTemplate(value, subject);
  if (Array.isArray(value)) return value.map((each) => filled(each, subject));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, filled(each, subject)]));
}
