export { openRegistry, Registry } from './registry.js';
export type { Health, RegistryOptions, ClientProblem } from './options.js';
export { clienteleAdapter, configuration, extraClientMetadata, install, type AdapterOptions, type InstallOptions } from './provider.js';
export { ProtocolError, RegistryUnavailableError, ResponseError, StaleError } from './errors.js';
export type { ClientMetadata } from './clients.js';
export type { ServerMetadata } from './metadata.js';
export type { Token } from './transport.js';
