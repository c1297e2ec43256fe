/**
 * Asks the application's backend over HTTP: who connects, who may subscribe and publish, and what an
 * RPC answers (Centrifugo's "proxies").
 *
 * @module
 */
export * from './options.ts';
