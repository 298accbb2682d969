// For the type-check only, not shipped: on Workers the import of a .wasm file is a compiled module.
// Platforms whose own declarations the type-check does without.
declare module 'node:net';
declare module 'node:tls';
declare module 'cloudflare:sockets';
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
