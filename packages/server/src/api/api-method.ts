import type { Hub } from '@holdfast/hub';
import type { Bytes } from '@holdfast/protocol';
import type { z } from 'zod';
import type { JsonWithRaw } from './raw-json.ts';
import { rawMembersOf } from './schemas.ts';

/** Answers one method of `POST /api/rpc`. What it throws as `ReplyError` is the answer. */
export type RpcMethod = (params: Bytes | undefined) => Promise<Bytes | undefined>;

/** What the methods act on. */
export interface ApiTarget {
  readonly hub: Hub;
  /** Methods behind `rpc`, by name. */
  readonly rpc: ReadonlyMap<string, RpcMethod>;
}

/** One method of the API: what it is for, what it takes, what it gives and what it does. */
export interface ApiMethod {
  readonly summary: string;
  readonly request: z.ZodObject;
  /** Members of the request that are application data. */
  readonly rawMembers: ReadonlySet<string>;
  readonly result: z.ZodObject;
  /** @param request - as `request` parses it. @throws ReplyError as the answer. */
  run(target: ApiTarget, request: unknown): Promise<JsonWithRaw>;
}

/** Ties the type of `run` to the schema of the request. */
export function define<Request extends z.ZodObject>(method: {
  readonly summary: string;
  readonly request: Request;
  readonly result: z.ZodObject;
  run(target: ApiTarget, request: z.output<Request>): Promise<JsonWithRaw>;
}): ApiMethod {
  return { ...method, rawMembers: rawMembersOf(method.request) };
}
