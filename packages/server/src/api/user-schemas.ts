import { maxDirectoryPage } from '@holdfast/hub';
import { z } from 'zod';

/**
 * What the methods about users and their connections take and give.
 *
 * @module
 */

const user = z.string().min(1, 'must not be empty').meta({ description: 'User id' });
const unixSeconds = (description: string) => z.int().min(0).meta({ description });
const expired = 'Unix seconds; from when on they have expired anyway';

export const connectionsRequest = z.object({
  user: z
    .string()
    .optional()
    .meta({ description: "Only this user's; empty means anonymous connections; absent: all" }),
  limit: z.int().min(1).max(maxDirectoryPage).default(100).meta({ description: 'Of one page' }),
  cursor: z.string().optional().meta({ description: 'The `cursor` of the page before' }),
});

export const connectionsResult = z.object({
  connections: z
    .array(
      z.object({
        client: z.string(),
        user: z.string(),
        node: z.string().meta({ description: 'As `uid` of `info`' }),
        transport: z.string(),
        protocol: z.enum(['json', 'protobuf']),
        address: z.string().meta({ description: 'The IP address that the connection came from' }),
        app_name: z.string().meta({ description: 'As the client introduced itself' }),
        app_version: z.string(),
        connected_at: z.int().meta({ description: 'Unix milliseconds' }),
        num_subscriptions: z.int(),
      }),
    )
    .meta({ description: 'In the order of client ids' }),
  cursor: z.string().optional().meta({ description: 'Absent on the last page' }),
});

export const onlineRequest = z.object({ users: z.array(user).max(maxDirectoryPage) });

export const onlineResult = z.object({
  users: z
    .record(
      z.string(),
      z.object({
        online: z.boolean(),
        last_seen: z
          .int()
          .optional()
          .meta({ description: 'Unix milliseconds; absent when nothing is known' }),
      }),
    )
    .meta({ description: 'By user id' }),
});

export const blockUserRequest = z.object({
  user,
  expire_at: unixSeconds('Unix seconds; 0 or absent: until unblock_user').optional(),
});

export const unblockUserRequest = z.object({ user });

export const revokeTokenRequest = z.object({
  uid: z.string().min(1, 'must not be empty').meta({ description: 'The `jti` of the token' }),
  expire_at: unixSeconds(expired).min(1, 'must be above 0'),
});

export const invalidateUserTokensRequest = z.object({
  user,
  issued_before: unixSeconds('Unix seconds, exclusive; absent: now').optional(),
  expire_at: unixSeconds(expired).min(1, 'must be above 0'),
});
