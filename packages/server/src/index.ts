/**
 * The holdfast program: configuration, HTTP API and command line around the hub.
 *
 * @module
 */
export * from './config/index.ts';
export * from './doctor/doctor-target.ts';
export * from './doctor/examine.ts';
export * from './doctor/finding.ts';
export * from './hooks/index.ts';
export { type RpcMethod } from './api/api-method.ts';
export { apiReferenceMarkdown } from './api/reference-markdown.ts';
export { createLogger, type LoggingOptions, type ServerLogger } from './logging.ts';
export * from './proxies/deploy-files.ts';
export * from './proxies/proxy-config.ts';
export * from './proxies/proxy-settings.ts';
export * from './server.ts';
export * from './start-error.ts';
export { version } from './version.ts';
