import type { Admission } from './admission.ts';
import type { TokenVerifier } from './auth/token-verifier.ts';
import type { ChannelTable } from './channel-table.ts';
import type { Clock } from './clock.ts';
import type { CommandLimits } from './command-limits.ts';
import type { HubNotices, HubQuestions, Answer } from './events.ts';
import type { Logger } from './hub.ts';
import type { HubMetrics } from './metrics.ts';
import type { ChannelRules, Namespaces } from './namespaces.ts';
import type { ClientOptions } from './client-options.ts';
import type { Broker, Position } from './ports/broker.ts';
import type { ClientSelector } from './ports/node-bus.ts';
import type { MapBroker } from './ports/map-broker.ts';
import type { PresenceStore } from './ports/presence-store.ts';
import type { PublicationContract } from './publication-contract.ts';
import type { Refusal } from './refusal.ts';
import type { Revocations } from './revocation/revocations.ts';
import type { SessionRegistry } from './session-registry.ts';
import type { PollTable } from './shared-poll/poll-table.ts';
import type { SharedPollSecrets } from './shared-poll/track-signature.ts';
import type { StreamReader } from './stream-reader.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { WriteScheduler } from './write-scheduler.ts';

/** What sessions and commands use of the hub they live in. */
export interface HubContext {
  readonly nodeId: string;
  readonly version: string;
  readonly options: ClientOptions;
  readonly namespaces: Namespaces;
  readonly contract: PublicationContract | undefined;
  /** The table that has the channels of this kind. */
  tableFor(rules: ChannelRules): ChannelTable;
  readonly mapBroker: MapBroker;
  readonly polls: PollTable;
  /** Absent: nobody can track keys. */
  readonly sharedPollSecrets: SharedPollSecrets | undefined;
  readonly sessions: SessionRegistry;
  readonly revocations: Revocations;
  readonly broker: Broker;
  readonly streamReader: StreamReader;
  readonly presenceStore: PresenceStore;
  readonly tokens: TokenVerifier | undefined;
  readonly subscriptionTokens: TokenVerifier | undefined;
  readonly metrics: HubMetrics;
  readonly commandLimits: CommandLimits;
  readonly admission: Admission;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly writes: WriteScheduler;
  readonly random: () => number;
  readonly randomId: () => string;
  /** Resolves when the ports are connected; undefined when they are. */
  readonly starting: Promise<void> | undefined;
  /** Asks the handlers of a question in turn; undefined when none has an answer. */
  ask<Name extends keyof HubQuestions>(
    name: Name,
    event: Parameters<HubQuestions[Name]>[0],
  ): Promise<Answer<Name> | undefined>;
  /** Whether any handler would be asked; saves building an event for nobody. */
  isAsked(name: keyof HubQuestions): boolean;
  /** Top of a stream; reads of many subscriptions at the same moment are one read. */
  streamTop(channel: string, rules: ChannelRules): Promise<Position>;
  /** Ends connections on all nodes. */
  disconnect(
    selector: ClientSelector,
    disconnect: { readonly code: number; readonly reason: string },
  ): Promise<void>;
  /** What a thrown value means for the client; logs what is not an answer of the application. */
  refusalOf(error: unknown, context: object): Refusal;
  notify<Name extends keyof HubNotices>(name: Name, event: Parameters<HubNotices[Name]>[0]): void;
}
