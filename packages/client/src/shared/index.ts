/**
 * One physical connection per browser and user.
 *
 * @module
 */
export * from './create-shared-client.ts';
export type { LocksLike } from './web-locks.ts';
