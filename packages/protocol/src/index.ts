/**
 * Wire formats and codes of the Centrifugo client protocol. Pure and browser-safe.
 *
 * @module
 */
export * from './channel-names.ts';
export * from './model.ts';
export * from './codes.ts';
export * from './codec.ts';
export * from './json-text.ts';
export * from './formats.ts';
export * from './json-codec.ts';
export * from './protobuf-codec.ts';
export { shareList } from './shared-list.ts';
