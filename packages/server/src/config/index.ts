export * from './duration.ts';
export * from './effective-options.ts';
export * from './generated-secrets.ts';
export * from './hub-options.ts';
export * from './load-config.ts';
export * from './origin.ts';
export * from './problem.ts';
export { type ChannelConfig, type Config, type ProxyConfig } from './schema.ts';
export * from './secret.ts';
