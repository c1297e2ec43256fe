import { compileChannelPattern } from './channel-pattern.ts';
import type { ChannelTable } from './channel-table.ts';
import type { Cluster } from './cluster.ts';
import { fromJsonBytes, toJsonBytes } from './json-bytes.ts';

/** Which channels have subscribers, on this node and on the others. */
export class ChannelDirectory {
  readonly #tables: readonly ChannelTable[];
  readonly #cluster: Cluster;

  constructor(tables: readonly ChannelTable[], cluster: Cluster) {
    this.#tables = tables;
    this.#cluster = cluster;
    cluster.handle('channels', (pattern) =>
      toJsonBytes(this.#channelsHere(fromJsonBytes(pattern) as string)),
    );
  }

  /** Of all nodes; one that does not answer within two seconds is logged and left out. */
  async channels(pattern: string): Promise<ReadonlyMap<string, { readonly numClients: number }>> {
    const answers = await this.#cluster.askAll('channels', toJsonBytes(pattern));
    const total = new Map<string, { numClients: number }>();
    for (const answer of answers) {
      const rows = fromJsonBytes(answer) as readonly [string, number][];
      for (const [channel, count] of rows) {
        total.set(channel, { numClients: (total.get(channel)?.numClients ?? 0) + count });
      }
    }
    return total;
  }

  #channelsHere(pattern: string): readonly [string, number][] {
    const matches = compileChannelPattern(pattern);
    const rows: [string, number][] = [];
    for (const table of this.#tables) {
      for (const { name, subscriptions } of table.values()) {
        if (subscriptions.size > 0 && matches(name)) rows.push([name, subscriptions.size]);
      }
    }
    return rows;
  }
}
