import type { z } from 'zod';
import type { errorBody } from './open-api.ts';

/** What a route is given once caller and shapes are checked, beside the members of the service. */
export interface RouteInput<Query, Body> {
  /** The authenticated user on routes of users; `{user}` of the path, or empty, on routes of servers. */
  readonly user: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly request: Request;
  /** What would be answered if `run` threw this: for routes that answer several requests at once. */
  readonly describeError: (error: unknown) => z.output<typeof errorBody>;
}

/** A body in another format than JSON. */
export interface OtherBody<Service, Body = unknown> {
  readonly mediaType: string;
  /** What the document says of it. */
  readonly schema: z.ZodType;
  /** Reads it. Answers for its own limits. */
  readonly read: (request: Request, service: Service) => Promise<Body>;
}

/** One operation. `run` gives what is answered as JSON, or a whole `Response`. */
export interface Route<Service> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the base path; `{name}` takes one segment. The path with the fewest such parts wins. */
  readonly path: string;
  /** `server`: with the API key. `user`: with the user's own token. */
  readonly side: 'server' | 'user';
  readonly summary: string;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly otherBody?: OtherBody<Service>;
  readonly result: z.ZodType;
  /** Media type of the answer where it can be another than JSON. */
  readonly otherResult?: string;
  readonly run: (input: Service & RouteInput<unknown, unknown>) => Promise<unknown>;
}

/** A {@link Route} whose schemas give the types of its function. */
export interface RouteShape<Service, Query extends z.ZodType, Body extends z.ZodType> extends Omit<
  Route<Service>,
  'query' | 'body' | 'otherBody' | 'run'
> {
  readonly query?: Query;
  readonly body?: Body;
  readonly otherBody?: OtherBody<Service, z.output<Body>>;
  readonly run: (input: Service & RouteInput<z.output<Query>, z.output<Body>>) => Promise<unknown>;
}

/** Gives the function that ties the types of the schemas to those of a route of `Service`. */
export function routeFor<Service>(): <Query extends z.ZodType, Body extends z.ZodType>(
  shape: RouteShape<Service, Query, Body>,
) => Route<Service> {
  return (shape) => shape as unknown as Route<Service>;
}

/** Drops what is undefined, which optional members must not be. */
export function defined<Value extends object>(value: Value): Value {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined),
  ) as Value;
}
