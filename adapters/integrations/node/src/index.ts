export { openRegistry, Registry, type Health, type RegistryOptions, type ClientProblem } from './registry.js';
export { clienteleAdapter, configuration, extraClientMetadata, install, type AdapterOptions } from './provider.js';
export { ProtocolError, RegistryUnavailableError, ResponseError, StaleError } from './errors.js';
export type { ClientMetadata } from './clients.js';
export type { Token } from './transport.js';
