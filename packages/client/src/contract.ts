/**
 * Typed channels: one description of what goes through which channel, shared by server and clients.
 * Any library that implements Standard Schema will do (zod, valibot, arktype).
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Client, PublishOptions } from './client.ts';
import { ClientError } from './client-error.ts';
import { deliver } from './deliver.ts';
import type { Subscription, SubscriptionOptions } from './subscription.ts';
import type { Publication } from './wire.ts';

/** Channel patterns, as `news` or `chat:{room}`, with the schema of their publications. */
export type ChannelSchemas = Readonly<Record<string, StandardSchemaV1>>;

/** `chat:{room}` becomes `chat:${string}`. */
export type ChannelOf<Pattern extends string> =
  Pattern extends `${infer Before}{${string}}${infer After}`
    ? `${Before}${string}${ChannelOf<After>}`
    : Pattern;

/** The pattern that a channel's name matches. */
export type PatternOf<Schemas extends ChannelSchemas, Name extends string> = {
  [Pattern in keyof Schemas & string]: Name extends ChannelOf<Pattern> ? Pattern : never;
}[keyof Schemas & string];

/** What a page gives for a channel of this name, before its schema has changed it. */
export type InputOf<
  Schemas extends ChannelSchemas,
  Name extends string,
> = StandardSchemaV1.InferInput<Schemas[PatternOf<Schemas, Name>]>;
/** What a page gets of a channel of this name, as its schema gives it. */
export type OutputOf<
  Schemas extends ChannelSchemas,
  Name extends string,
> = StandardSchemaV1.InferOutput<Schemas[PatternOf<Schemas, Name>]>;

/** Every channel's name that a contract knows. */
export type NameIn<Schemas extends ChannelSchemas> = ChannelOf<keyof Schemas & string>;

/**
 * What both ends agree on. Made by {@link defineChannels}; on the server it is the `contract` of
 * `createHub`, which then refuses what does not match, whoever publishes it.
 */
export interface Contract<Schemas extends ChannelSchemas> {
  /** Whether a pattern matches the channel. */
  describes(channel: string): boolean;
  /** What is wrong with data for a channel that is described; empty when nothing is. */
  problems(channel: string, data: unknown): Promise<readonly string[]>;
  /**
   * Checks data for a channel, as its schema says, and gives the schema's output.
   *
   * @throws {@link ClientError} `invalid_data`, with the issues; `misused` for a channel that no
   * pattern matches.
   */
  parse<Name extends NameIn<Schemas>>(
    channel: Name,
    data: unknown,
  ): Promise<OutputOf<Schemas, Name>>;
}

/**
 * Describes channels. A part in braces stands for one or more characters; where several patterns
 * match, the first one counts.
 *
 * @example
 * ```ts
 * export const channels = defineChannels({ 'chat:{room}': z.object({ text: z.string() }) });
 * ```
 */
export function defineChannels<const Schemas extends ChannelSchemas>(
  schemas: Schemas,
): Contract<Schemas> {
  const rows = Object.entries(schemas).map(([pattern, schema]) => ({
    expression: expressionOf(pattern),
    schema,
  }));
  const schemaOf = (channel: string): StandardSchemaV1 | undefined =>
    rows.find(({ expression }) => expression.test(channel))?.schema;
  const validate = async (
    channel: string,
    data: unknown,
  ): Promise<StandardSchemaV1.Result<unknown>> => {
    const schema = schemaOf(channel);
    if (schema !== undefined) return schema['~standard'].validate(data);
    throw new ClientError('misused', 'no pattern of the contract matches this channel');
  };
  return {
    describes: (channel) => schemaOf(channel) !== undefined,
    problems: async (channel, data) => ((await validate(channel, data)).issues ?? []).map(inWords),
    async parse(channel, data) {
      const result = await validate(channel, data);
      if (result.issues === undefined) return result.value;
      throw new ClientError('invalid_data', 'the data does not match the contract of its channel', {
        issues: result.issues.map(inWords),
      });
    },
  };
}

function inWords({ message, path = [] }: StandardSchemaV1.Issue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part));
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
}

function expressionOf(pattern: string): RegExp {
  const parts = pattern
    .split(/\{[^{}]*\}/)
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.+')}$`, 's');
}

/** Options of a subscription whose publications have the type that the contract says. */
export interface TypedSubscriptionOptions<Data> extends Omit<SubscriptionOptions<Data>, 'data'> {
  /** Sent with the subscribe command. */
  readonly data?: unknown;
  /** Called instead of `onPublication` for one that does not match the contract. */
  readonly onInvalid?: (error: ClientError, publication: Publication) => void;
}

/** A client that knows what goes through its channels. */
export interface TypedClient<Schemas extends ChannelSchemas> {
  /**
   * Like `Client.subscribe`; each publication is checked before it is delivered, and order is kept
   * though schemas may be asynchronous.
   */
  subscribe<Name extends NameIn<Schemas>>(
    channel: Name,
    options?: TypedSubscriptionOptions<OutputOf<Schemas, Name>>,
  ): Subscription<InputOf<Schemas, Name>>;
  /** Like `Client.publish`; what does not match is never sent. The schema's input is sent. */
  publish<Name extends NameIn<Schemas>>(
    channel: Name,
    data: InputOf<Schemas, Name>,
    options?: PublishOptions,
  ): Promise<void>;
}

/** Binds a contract to a client. */
export function typed<const Schemas extends ChannelSchemas>(
  client: Client,
  contract: Contract<Schemas>,
): TypedClient<Schemas> {
  return {
    subscribe(channel, options = {}) {
      const { onPublication, onInvalid, ...rest } = options;
      let last: Promise<void> = Promise.resolve();
      let isClosed = false;
      const deliverInTurn = async (
        before: Promise<void>,
        parsed: Promise<unknown>,
        publication: Publication,
      ): Promise<void> => {
        const [{ status, ...result }] = await Promise.allSettled([parsed, before]);
        if (isClosed) return;
        deliver(() => {
          if (status === 'rejected')
            onInvalid?.((result as { reason: ClientError }).reason, publication);
          else onPublication?.({ ...publication, data: (result as { value: never }).value });
        });
      };
      const subscription = client.subscribe(channel, {
        ...rest,
        onPublication: (publication) => {
          last = deliverInTurn(last, contract.parse(channel, publication.data), publication);
        },
      });
      return {
        ...subscription,
        get state() {
          return subscription.state;
        },
        publish: (data) => this.publish(channel, data),
        close: () => {
          isClosed = true;
          subscription.close();
        },
      };
    },
    async publish(channel, data, options) {
      await contract.parse(channel, data);
      await client.publish(channel, data, options);
    },
  };
}

/** The part of a hub that a contract gives types to. */
export interface PublishingHub {
  readonly contract: object | undefined;
  publish(channel: string, data: unknown, options?: never): Promise<unknown>;
  broadcast(channels: readonly string[], data: unknown, options?: never): Promise<unknown>;
}

/** A hub that knows what goes through its channels; all else of it is as it was. */
export type TypedHub<Schemas extends ChannelSchemas, Base extends PublishingHub> = Omit<
  Base,
  'publish' | 'broadcast'
> & {
  /** Like `Hub.publish`. @throws ReplyError 107 for what does not match, whatever its type said */
  publish<Name extends NameIn<Schemas>>(
    channel: Name,
    data: InputOf<Schemas, Name>,
    options?: Parameters<Base['publish']>[2],
  ): ReturnType<Base['publish']>;
  /** Like `Hub.broadcast`. */
  broadcast<Name extends NameIn<Schemas>>(
    channels: readonly Name[],
    data: InputOf<Schemas, Name>,
    options?: Parameters<Base['broadcast']>[2],
  ): ReturnType<Base['broadcast']>;
};

/**
 * Gives a hub the types of its contract. It is the same hub: what is published is checked by the hub
 * itself, also what its clients publish.
 *
 * @throws {@link ClientError} `misused` for a hub that was not created with this contract.
 * @example
 * ```ts
 * const hub = typedHub(createHub({ contract }), contract);
 * await hub.publish('chat:blue', { text: 'hi' });
 * ```
 */
export function typedHub<const Schemas extends ChannelSchemas, Base extends PublishingHub>(
  hub: Base,
  contract: Contract<Schemas>,
): TypedHub<Schemas, Base> {
  if (hub.contract !== contract) {
    throw new ClientError('misused', 'create the hub with this contract: createHub({ contract })');
  }
  return hub as unknown as TypedHub<Schemas, Base>;
}
