import type { ClientInfo } from '@holdfast/protocol';
import { vi } from 'vitest';
import type { BrokerEvents, BrokerPublication } from '../ports/broker.ts';
import type { MapBrokerEvents } from '../ports/map-broker.ts';
import { text } from './port-testbed.ts';

/** Keeps everything a broker told one node, in order. */
export class RecordedEvents implements BrokerEvents, MapBrokerEvents {
  readonly publications: BrokerPublication[] = [];
  readonly joins: { readonly channel: string; readonly info: ClientInfo }[] = [];
  readonly leaves: { readonly channel: string; readonly info: ClientInfo }[] = [];
  readonly clearings: string[] = [];
  readonly interruptions: (readonly string[] | undefined)[] = [];

  publication(event: BrokerPublication): void {
    this.publications.push(event);
  }

  join(channel: string, info: ClientInfo): void {
    this.joins.push({ channel, info });
  }

  leave(channel: string, info: ClientInfo): void {
    this.leaves.push({ channel, info });
  }

  cleared(channel: string): void {
    this.clearings.push(channel);
  }

  interrupted(channels?: readonly string[]): void {
    this.interruptions.push(channels);
  }

  /** Data of the publications that arrived in a channel, as text, in order. */
  dataOf(channel: string): readonly string[] {
    return this.publications
      .filter((event) => event.channel === channel)
      .map((event) => text(event.publication.data));
  }

  /** Resolves when a publication with this data has arrived in the channel. */
  async arrived(channel: string, data: string): Promise<void> {
    await vi.waitFor(
      () => {
        if (!this.dataOf(channel).includes(data)) {
          throw new Error(`"${data}" did not arrive, only: ${this.dataOf(channel).join(', ')}`);
        }
      },
      { timeout: 60_000, interval: 5 },
    );
  }
}
