// The types of the package fit those of oidc-provider. This file is compiled, not run.
import Provider, { type Adapter, type Configuration } from 'oidc-provider';
import { clienteleAdapter, configuration, install, openRegistry, type Health, type RegistryOptions, type ServerMetadata } from '@clientele/oidc-provider';

declare class Store implements Adapter {
  constructor(name: string);
  upsert: Adapter['upsert'];
  find: Adapter['find'];
  findByUserCode: Adapter['findByUserCode'];
  findByUid: Adapter['findByUid'];
  consume: Adapter['consume'];
  destroy: Adapter['destroy'];
  revokeByGrantId: Adapter['revokeByGrantId'];
}

const options: RegistryOptions = { url: 'https://clientele.example.com', token: { file: '/run/token' }, file: process.env['MIRROR_FILE'] };
const registry = await openRegistry({ ...options, token: async (rejected) => rejected ?? 'token' });
const base: Configuration = { adapter: Store, pkce: { required: (ctx, client) => client.clientAuthMethod === 'none' || ctx.method === 'GET' } };
const provider = new Provider('https://op.example.com', configuration(registry, base, { jwksUriMaxAge: 60 }));
await install(registry, provider, { publishRegistration: true });
export const other: Configuration = { adapter: clienteleAdapter(registry, (name) => new Store(name)) };
export const state: Health['state'] = registry.health().state;
registry.on('change', ({ clientId, revision }) => { console.log(clientId.length, revision.toFixed()); });
export const published: ServerMetadata = await registry.serverMetadata();
export const byURL: string | undefined = (await registry.resolve('https://client.example.com/'))?.client_id;
// @ts-expect-error The URL is needed.
await openRegistry({ token: 'token' });
export const scope: string | undefined = (await registry.verify('id', 'secret')) ? registry.get('id')?.client_name : undefined;
