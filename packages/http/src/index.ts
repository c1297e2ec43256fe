/**
 * HTTP interfaces from a table of routes, for any server that speaks `Request` and `Response`. The
 * table serves the requests and describes itself as OpenAPI. And the signature of requests that go the
 * other way, to backends.
 *
 * @module
 */
export { HttpRefusal, InvalidRequest } from './http-refusal.ts';
export { errorBody, openApiOf, type OpenApiPart } from './open-api.ts';
export { check, mediaType, parseJson, readJson, readLines } from './read-body.ts';
export {
  defined,
  routeFor,
  type OtherBody,
  type Route,
  type RouteInput,
  type RouteShape,
} from './route.ts';
export {
  createRouteHandler,
  type HttpInterfaceOptions,
  type RouteHandler,
  type RouteTable,
} from './route-handler.ts';
export { webhookKey, WebhookSigner } from './webhook-signature.ts';
