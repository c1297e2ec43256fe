import { z } from 'zod';
import { defineChannels } from '@holdfast/client/contract';

/** What goes through which channel: the server refuses anything else, and the page knows its type. */
export const channels = defineChannels({
  'room:{name}': z.object({
    author: z.string().min(1).max(30),
    text: z.string().min(1).max(500),
  }),
});
