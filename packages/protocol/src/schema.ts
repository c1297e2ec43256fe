/**
 * The one table of messages and fields that both codecs are driven by: field number, type, and
 * whether JSON writes the field even when it is zero. Numbers and types are those of Centrifugo's
 * client protocol; the compiler proves that the table and the model have the same messages, the same
 * fields and fitting types, in both directions.
 *
 * @module
 */
import type {
  ClientInfo,
  Command,
  ConnectPush,
  ConnectRequest,
  ConnectResult,
  DisconnectPush,
  EmulationRequest,
  Empty,
  ErrorReply,
  FilterNode,
  HistoryRequest,
  HistoryResult,
  KeyedItem,
  PresenceRequest,
  PresenceResult,
  PresenceStatsRequest,
  PresenceStatsResult,
  Publication,
  PublishRequest,
  Push,
  RefreshPush,
  RefreshRequest,
  RefreshResult,
  Reply,
  RpcRequest,
  RpcResult,
  SendRequest,
  StreamPosition,
  SubRefreshRequest,
  SubRefreshResult,
  SubscribePush,
  SubscribeRequest,
  SubscribeResult,
  TrackBatch,
  UnsubscribePush,
  UnsubscribeRequest,
} from './model.ts';

/** Every message of the protocol, by name. Names are ours: they never travel. */
export interface Messages {
  Command: Command;
  ConnectRequest: ConnectRequest;
  SubscribeRequest: SubscribeRequest;
  FilterNode: FilterNode;
  UnsubscribeRequest: UnsubscribeRequest;
  PublishRequest: PublishRequest;
  PresenceRequest: PresenceRequest;
  PresenceStatsRequest: PresenceStatsRequest;
  HistoryRequest: HistoryRequest;
  StreamPosition: StreamPosition;
  SendRequest: SendRequest;
  RpcRequest: RpcRequest;
  RefreshRequest: RefreshRequest;
  SubRefreshRequest: SubRefreshRequest;
  TrackBatch: TrackBatch;
  KeyedItem: KeyedItem;
  Empty: Empty;
  Reply: Reply;
  ErrorReply: ErrorReply;
  ConnectResult: ConnectResult;
  SubscribeResult: SubscribeResult;
  PresenceResult: PresenceResult;
  PresenceStatsResult: PresenceStatsResult;
  HistoryResult: HistoryResult;
  RpcResult: RpcResult;
  RefreshResult: RefreshResult;
  SubRefreshResult: SubRefreshResult;
  Publication: Publication;
  ClientInfo: ClientInfo;
  Push: Push;
  JoinPush: NonNullable<Push['join']>;
  LeavePush: NonNullable<Push['leave']>;
  UnsubscribePush: UnsubscribePush;
  MessagePush: NonNullable<Push['message']>;
  SubscribePush: SubscribePush;
  ConnectPush: ConnectPush;
  DisconnectPush: DisconnectPush;
  RefreshPush: RefreshPush;
  EmulationRequest: EmulationRequest;
}
export type MessageName = keyof Messages;

export type IntegerType = 'uint32' | 'int32' | 'int64' | 'uint64' | 'sint64';
export type ScalarType = IntegerType | 'string' | 'bool' | 'bytes';

/** Identity and not assignability: all messages without required fields are assignable to each other. */
// oxlint-disable typescript/no-unnecessary-type-parameters -- what makes the compiler compare exactly
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
// oxlint-enable typescript/no-unnecessary-type-parameters
type NameOf<Value> = {
  [Name in MessageName]: Same<Messages[Name], Value> extends true ? Name : never;
}[MessageName];
type ItemType<Value> = Value extends string
  ? 'string'
  : Value extends boolean
    ? 'bool'
    : Value extends number
      ? IntegerType
      : Value extends Uint8Array
        ? 'bytes'
        : NameOf<Value>;
type FieldType<Value> = Value extends Uint8Array
  ? 'bytes'
  : Value extends readonly (infer Item)[]
    ? `${ItemType<Item>}[]`
    : string extends keyof Value
      ? `map<${ItemType<Value[keyof Value]>}>`
      : ItemType<Value>;

/**
 * Field number, type, and `always` where the field is always present: JSON writes it even when it is
 * zero, and decoders add it when the peer left it out. A field that the model requires must be
 * `always`.
 */
type FieldRow<Message, Name extends keyof Message> =
  | readonly [number, FieldType<NonNullable<Message[Name]>>, 'always']
  | (object extends Pick<Message, Name>
      ? readonly [number, FieldType<NonNullable<Message[Name]>>]
      : never);
type MessageTable = {
  readonly [Name in MessageName]: {
    readonly [Field in keyof Messages[Name]]-?: FieldRow<Messages[Name], Field>;
  };
};

const messages = {
  Command: {
    id: [1, 'uint32'],
    connect: [4, 'ConnectRequest'],
    subscribe: [5, 'SubscribeRequest'],
    unsubscribe: [6, 'UnsubscribeRequest'],
    publish: [7, 'PublishRequest'],
    presence: [8, 'PresenceRequest'],
    presence_stats: [9, 'PresenceStatsRequest'],
    history: [10, 'HistoryRequest'],
    ping: [11, 'Empty'],
    send: [12, 'SendRequest'],
    rpc: [13, 'RpcRequest'],
    refresh: [14, 'RefreshRequest'],
    sub_refresh: [15, 'SubRefreshRequest'],
  },
  ConnectRequest: {
    token: [1, 'string'],
    data: [2, 'bytes'],
    subs: [3, 'map<SubscribeRequest>'],
    name: [4, 'string'],
    version: [5, 'string'],
    headers: [6, 'map<string>'],
    flag: [7, 'int64'],
    dict: [8, 'string'],
    profile: [9, 'string'],
  },
  SubscribeRequest: {
    channel: [1, 'string'],
    token: [2, 'string'],
    recover: [3, 'bool'],
    epoch: [6, 'string'],
    offset: [7, 'uint64'],
    data: [8, 'bytes'],
    positioned: [9, 'bool'],
    recoverable: [10, 'bool'],
    join_leave: [11, 'bool'],
    delta: [12, 'string'],
    tf: [13, 'FilterNode'],
    flag: [14, 'int64'],
    type: [15, 'int32'],
    phase: [16, 'int32'],
    cursor: [17, 'string'],
    limit: [18, 'int32'],
    asc: [19, 'bool'],
  },
  FilterNode: {
    op: [1, 'string'],
    key: [2, 'string'],
    cmp: [3, 'string'],
    val: [4, 'string'],
    vals: [5, 'string[]'],
    nodes: [6, 'FilterNode[]'],
  },
  UnsubscribeRequest: { channel: [1, 'string'] },
  PublishRequest: {
    channel: [1, 'string'],
    data: [2, 'bytes'],
    type: [3, 'int32'],
    key: [4, 'string'],
    removed: [5, 'bool'],
  },
  PresenceRequest: { channel: [1, 'string'] },
  PresenceStatsRequest: { channel: [1, 'string'] },
  HistoryRequest: {
    channel: [1, 'string'],
    limit: [7, 'int32'],
    since: [8, 'StreamPosition'],
    reverse: [9, 'bool'],
  },
  StreamPosition: { offset: [1, 'uint64'], epoch: [2, 'string'] },
  SendRequest: { data: [1, 'bytes'] },
  RpcRequest: { data: [1, 'bytes'], method: [2, 'string'] },
  RefreshRequest: { token: [1, 'string'] },
  SubRefreshRequest: {
    channel: [1, 'string'],
    token: [2, 'string'],
    type: [3, 'int32'],
    track: [4, 'TrackBatch[]'],
    untrack: [5, 'string[]'],
  },
  TrackBatch: { signature: [1, 'string'], items: [2, 'KeyedItem[]'] },
  KeyedItem: { key: [1, 'string'], version: [2, 'uint64'] },
  Empty: {},
  Reply: {
    id: [1, 'uint32'],
    error: [2, 'ErrorReply'],
    push: [4, 'Push'],
    connect: [5, 'ConnectResult'],
    subscribe: [6, 'SubscribeResult'],
    unsubscribe: [7, 'Empty'],
    publish: [8, 'Empty'],
    presence: [9, 'PresenceResult'],
    presence_stats: [10, 'PresenceStatsResult'],
    history: [11, 'HistoryResult'],
    ping: [12, 'Empty'],
    rpc: [13, 'RpcResult'],
    refresh: [14, 'RefreshResult'],
    sub_refresh: [15, 'SubRefreshResult'],
  },
  ErrorReply: {
    code: [1, 'uint32', 'always'],
    message: [2, 'string', 'always'],
    temporary: [3, 'bool'],
  },
  ConnectResult: {
    client: [1, 'string'],
    version: [2, 'string'],
    expires: [3, 'bool'],
    ttl: [4, 'uint32'],
    data: [5, 'bytes'],
    subs: [6, 'map<SubscribeResult>'],
    ping: [7, 'uint32'],
    pong: [8, 'bool'],
    session: [9, 'string'],
    node: [10, 'string'],
    time: [11, 'int64'],
    flag: [12, 'int64'],
  },
  SubscribeResult: {
    expires: [1, 'bool'],
    ttl: [2, 'uint32'],
    recoverable: [3, 'bool'],
    epoch: [6, 'string'],
    publications: [7, 'Publication[]'],
    recovered: [8, 'bool'],
    offset: [9, 'uint64'],
    positioned: [10, 'bool'],
    data: [11, 'bytes'],
    was_recovering: [12, 'bool'],
    delta: [13, 'bool'],
    id: [14, 'int64'],
    type: [15, 'int32'],
    phase: [16, 'int32'],
    cursor: [17, 'string'],
    state: [18, 'Publication[]'],
    publish_debounce: [19, 'uint32'],
  },
  PresenceResult: { presence: [1, 'map<ClientInfo>', 'always'] },
  PresenceStatsResult: {
    num_clients: [1, 'uint32', 'always'],
    num_users: [2, 'uint32', 'always'],
  },
  HistoryResult: {
    publications: [1, 'Publication[]', 'always'],
    epoch: [2, 'string', 'always'],
    offset: [3, 'uint64', 'always'],
  },
  RpcResult: { data: [1, 'bytes'] },
  RefreshResult: {
    client: [1, 'string'],
    version: [2, 'string'],
    expires: [3, 'bool'],
    ttl: [4, 'uint32'],
  },
  SubRefreshResult: {
    expires: [1, 'bool'],
    ttl: [2, 'uint32'],
    items: [3, 'Publication[]'],
  },
  Publication: {
    data: [4, 'bytes'],
    info: [5, 'ClientInfo'],
    offset: [6, 'uint64'],
    tags: [7, 'map<string>'],
    delta: [8, 'bool'],
    time: [9, 'int64'],
    channel: [10, 'string'],
    key: [11, 'string'],
    removed: [12, 'bool'],
    score: [13, 'sint64'],
    epoch: [14, 'string'],
    prev_data: [15, 'bytes'],
    version: [16, 'uint64'],
  },
  ClientInfo: {
    user: [1, 'string', 'always'],
    client: [2, 'string', 'always'],
    conn_info: [3, 'bytes'],
    chan_info: [4, 'bytes'],
  },
  Push: {
    id: [1, 'int64'],
    channel: [2, 'string'],
    pub: [4, 'Publication'],
    join: [5, 'JoinPush'],
    leave: [6, 'LeavePush'],
    unsubscribe: [7, 'UnsubscribePush'],
    message: [8, 'MessagePush'],
    subscribe: [9, 'SubscribePush'],
    connect: [10, 'ConnectPush'],
    disconnect: [11, 'DisconnectPush'],
    refresh: [12, 'RefreshPush'],
  },
  JoinPush: { info: [1, 'ClientInfo', 'always'] },
  LeavePush: { info: [1, 'ClientInfo', 'always'] },
  UnsubscribePush: { code: [2, 'uint32'], reason: [3, 'string'] },
  MessagePush: { data: [1, 'bytes'] },
  SubscribePush: {
    recoverable: [1, 'bool'],
    epoch: [4, 'string'],
    offset: [5, 'uint64'],
    positioned: [6, 'bool'],
    data: [7, 'bytes'],
  },
  ConnectPush: {
    client: [1, 'string'],
    version: [2, 'string'],
    data: [3, 'bytes'],
    subs: [4, 'map<SubscribeResult>'],
    expires: [5, 'bool'],
    ttl: [6, 'uint32'],
    ping: [7, 'uint32'],
    pong: [8, 'bool'],
    session: [9, 'string'],
    node: [10, 'string'],
    time: [11, 'int64'],
  },
  DisconnectPush: { code: [1, 'uint32'], reason: [2, 'string'] },
  RefreshPush: { expires: [1, 'bool'], ttl: [2, 'uint32'] },
  EmulationRequest: { node: [1, 'string'], session: [2, 'string'], data: [3, 'bytes'] },
} as const satisfies MessageTable;

interface FieldCommons {
  readonly name: string;
  readonly number: number;
  readonly rule: 'single' | 'repeated' | 'map';
  readonly isAlwaysPresent: boolean;
  /** Of the value itself, as {@link FieldSchema} `type`; the entries of a map are delimited. */
  readonly wireType: number;
  /** Names the field in errors: `SubscribeRequest.offset`. */
  readonly path: string;
}

/**
 * One field, in the form that the codecs walk. `type` is of the value itself: the items of a
 * repeated field, the values of a map.
 */
export type FieldSchema = FieldCommons &
  (
    | { readonly type: ScalarType; readonly message?: never }
    | { readonly type: 'message'; readonly message: MessageSchema }
  );

/** One message, in the form that the codecs walk. */
export interface MessageSchema {
  readonly name: MessageName;
  /** In the order of their numbers, which is the order in which they are written. */
  readonly fields: readonly FieldSchema[];
  readonly fieldsByName: ReadonlyMap<string, FieldSchema>;
  /** Index is the field number. */
  readonly fieldsByNumber: readonly (FieldSchema | undefined)[];
  readonly alwaysPresent: readonly FieldSchema[];
}

/** Smallest and largest value of each integer type; 64-bit ones end where a JS number is exact. */
export const integerRanges: Readonly<Record<IntegerType, readonly [min: number, max: number]>> = {
  uint32: [0, 2 ** 32 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  sint64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/** How deep a message may contain itself; only a tags filter does. Same limit in both formats. */
export const maxSelfNesting = 16;

/** How a Protobuf value is delimited; the low three bits of its tag. */
export const wireTypes = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

function wireTypeOf(type: string): number {
  return type === 'bool' || type in integerRanges ? wireTypes.varint : wireTypes.delimited;
}

type Row = readonly [number: number, type: string, always?: 'always'];

interface MutableMessageSchema {
  readonly name: MessageName;
  readonly fields: FieldSchema[];
  readonly fieldsByName: Map<string, FieldSchema>;
  readonly fieldsByNumber: (FieldSchema | undefined)[];
  readonly alwaysPresent: FieldSchema[];
}

const rulePattern = /^(?:map<(?<value>\w+)>|(?<item>\w+)\[\]|(?<single>\w+))$/;

function compile(table: Readonly<Record<MessageName, Readonly<Record<string, Row>>>>) {
  const names = Object.keys(table) as MessageName[];
  const compiled = new Map<string, MutableMessageSchema>();
  for (const name of names) {
    compiled.set(name, {
      name,
      fields: [],
      fieldsByName: new Map(),
      fieldsByNumber: [],
      alwaysPresent: [],
    });
  }
  for (const [messageName, schema] of compiled) {
    for (const [name, [number, typeText, always]] of Object.entries(
      table[messageName as MessageName],
    )) {
      const { value, item, single } = rulePattern.exec(typeText)?.groups ?? {};
      const type = value ?? item ?? single ?? '';
      const message = compiled.get(type);
      const field: FieldSchema = {
        name,
        number,
        rule: value === undefined ? (item === undefined ? 'single' : 'repeated') : 'map',
        isAlwaysPresent: always === 'always',
        wireType: wireTypeOf(type),
        path: `${messageName}.${name}`,
        ...(message === undefined ? { type: type as ScalarType } : { type: 'message', message }),
      };
      schema.fields.push(field);
      schema.fieldsByName.set(name, field);
      schema.fieldsByNumber[number] = field;
      if (field.isAlwaysPresent) schema.alwaysPresent.push(field);
    }
  }
  return Object.fromEntries(compiled) as Record<MessageName, MutableMessageSchema>;
}

/** The table, compiled once for both codecs. */
export const schemas: Readonly<Record<MessageName, MessageSchema>> = compile(messages);
