// The engines as the build makes them, for a check before the first build.

declare module '*/built/avro.js' { export const engine: import('./index.js').Engine; }
declare module '*/built/graphql.js' { export const engine: import('./index.js').Engine; }
declare module '*/built/json.js' { export const engine: import('./index.js').Engine; }
declare module '*/built/protobuf.js' { export const engine: import('./index.js').Engine; }
