export type { ServeOptions } from "./options.ts";
export { StartError } from "./options.ts";
export { serve } from "./serve.ts";
