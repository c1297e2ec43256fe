import type { Connection, TransportInfo } from '@holdfast/hub';
import type { JsonWithRaw } from '../api/raw-json.ts';
import type { ClientHeaders } from './forwarded-headers.ts';
import type { HookCaller } from './hook-caller.ts';

type RequestMembers = Readonly<Record<string, JsonWithRaw>>;

/** The members that every request begins with: which connection asks, and how it is connected. */
export function transportMembers(
  caller: HookCaller,
  { client, transport }: { readonly client: string; readonly transport: TransportInfo },
): RequestMembers {
  return {
    client,
    transport: transport.name,
    protocol: transport.format,
    encoding: caller.usesBinaryEncoding ? 'binary' : 'json',
  };
}

/** {@link transportMembers}, and who it is; for every request after connect. */
export function connectionMembers(caller: HookCaller, connection: Connection): RequestMembers {
  return {
    ...transportMembers(caller, connection),
    user: connection.user,
    meta: caller.includesMeta ? connection.meta : undefined,
  };
}

export function connectionHeaders(connection: Connection): ClientHeaders {
  return { http: connection.transport.headers, emulated: connection.emulatedHeaders };
}
