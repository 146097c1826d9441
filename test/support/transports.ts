import { XDS_TRANSPORTS, type XdsServerOptions } from "../../src/xds/mod.ts";

/** A way to carry streams, to be shown to be like the others. */
export interface CarrierVariant {
  readonly carrier: string;
  readonly options: Pick<XdsServerOptions, "transport" | "streamThreads">;
}

const STREAM_THREADS = new URL("../../workers/streams.ts", import.meta.url);

/** Every transport, and the one that threads may carry in two of them. */
export const carriers: readonly CarrierVariant[] = [
  ...XDS_TRANSPORTS.map((transport) => ({ carrier: transport, options: { transport } })),
  {
    carrier: "framed in two threads",
    options: { streamThreads: { count: 2, entry: STREAM_THREADS, random: Math.random } },
  },
];
