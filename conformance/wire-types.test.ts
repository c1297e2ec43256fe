import type * as inboxClient from '@holdfast/client/inbox';
import type * as inbox from '@holdfast/inbox';
import { expectTypeOf, test } from 'vitest';

// Pages import nothing of the server, so both sides describe what goes over the wire. That they say
// the same is proved when this is compiled.

test('what is told of notifications is what pages read', () => {
  expectTypeOf<inbox.Notification>().toExtend<inboxClient.Notification>();
  expectTypeOf<keyof inbox.Notification>().toEqualTypeOf<keyof inboxClient.Notification>();
  expectTypeOf<inbox.InboxEvent>().toExtend<inboxClient.InboxEvent>();
  expectTypeOf<inbox.UnreadCounts>().toEqualTypeOf<inboxClient.UnreadCounts>();
});

test('what users can set is what pages show and change', () => {
  expectTypeOf<inbox.CategoryPreference>().toEqualTypeOf<inboxClient.CategoryPreference>();
  expectTypeOf<inbox.QuietHours>().toEqualTypeOf<inboxClient.QuietHours>();
  expectTypeOf<inbox.Preferences>().toEqualTypeOf<inboxClient.Preferences>();
  expectTypeOf<inbox.PreferencesChange>().toEqualTypeOf<inboxClient.PreferencesChange>();
  expectTypeOf<inbox.UserSettings>().toEqualTypeOf<inboxClient.UserSettings>();
  expectTypeOf<keyof inbox.CategoryDefaults>().toEqualTypeOf<inboxClient.NotificationTarget>();
});
