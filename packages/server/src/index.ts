/**
 * The holdfast program: configuration, HTTP API and command line around the hub.
 *
 * @module
 */
export {
  type Config,
  type ConfigInput,
  type ConfigProblem,
  type ConfigSources,
  configurationReference,
  type ConfiguredHubOptions,
  type ConfigWarning,
  loadConfig,
  type LoadedConfig,
  type RefusedConfig,
  toHooksOptions,
  toHubOptions,
} from './config/index.ts';
export { type DoctorTarget, doctorTarget } from './doctor/doctor-target.ts';
export { examine, type ExamineOptions } from './doctor/examine.ts';
export { type CheckName, checkNames, type Finding } from './doctor/finding.ts';
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
