/**
 * The holdfast program: configuration, HTTP API and command line around the hub.
 *
 * @module
 */
export * from './config/index.ts';
export * from './hooks/index.ts';
