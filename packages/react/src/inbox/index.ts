/**
 * A user's notifications in React: a hook, and components that look and work as they should.
 *
 * @module
 */
export * from './inbox-bell.tsx';
export * from './inbox-drawer.tsx';
export type { InboxLabels } from './inbox-labels.ts';
export * from './inbox-panel.tsx';
export * from './inbox-preferences.tsx';
export * from './inbox-provider.tsx';
export type { InboxSubject } from './setting-controls.tsx';
export type { InboxSubjects } from './settings-view.tsx';
export * from './use-inbox.ts';
export * from './use-inbox-preferences.ts';
