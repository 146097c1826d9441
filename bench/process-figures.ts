export const processSuite: readonly never[] = [];
