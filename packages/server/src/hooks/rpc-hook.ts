import type { RpcEvent } from '@holdfast/hub';
import type { Bytes } from '@holdfast/protocol';
import { type HookCaller, settle } from './hook-caller.ts';
import { connectionHeaders, connectionMembers } from './hook-request.ts';
import type { ObjectReader } from './object-reader.ts';

/** Lets the backend answer a client's RPC. */
export async function askRpc(
  caller: HookCaller,
  event: RpcEvent,
): Promise<{ readonly data?: Bytes }> {
  const { connection, method, data, signal } = event;
  const decision = await caller.ask(
    {
      hook: 'rpc',
      headers: connectionHeaders(connection),
      body: {
        ...connectionMembers(caller, connection),
        method,
        ...caller.payload('rpc', data),
      },
      signal,
    },
    readRpcResult,
  );
  return settle(decision);
}

function readRpcResult(result: ObjectReader): { readonly data?: Bytes } {
  const data = result.payload('data');
  return data === undefined ? {} : { data };
}
